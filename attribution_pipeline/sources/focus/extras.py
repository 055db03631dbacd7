"""What a bill says beyond FOCUS: every other column as one JSON object, and a native line id.

Belongs here: columns that are kept but not understood. Does not: FOCUS columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.sources.focus.text import map_distinct, quote

NATIVE_ID_COLUMNS = (
    "oci_ReferenceNumber",  # OCI FOCUS reports: identifier of the line
    "x_LineItemId",
    "x_ChargeId",
    "x_NativeChargeId",
    "x_BillingLineItemId",
)
"""Where vendors keep the native identity of a line (FOCUS 1.4, DatasetCompleteness: custom columns
should carry native charge ids). AWS and Azure FOCUS exports have none. First that is not null."""

_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


def native_ids(others: Sequence[tuple[str, pa.Array]], length: int) -> pa.Array:
    """The native id of each line, null where the export has none."""
    by_name = {name.casefold(): column for name, column in others}
    present = [by_name[name.casefold()] for name in NATIVE_ID_COLUMNS if name.casefold() in by_name]
    return pc.coalesce(*present) if present else pa.nulls(length, pa.string())


def as_json(others: Sequence[tuple[str, pa.Array]], length: int) -> pa.Array:
    """One JSON object of text by column name, nulls left out; null where nothing is left."""
    members = [
        _member(name, column) for name, column in sorted(others, key=lambda pair: pair[0])
        if column.null_count < len(column)
    ]  # fmt: skip
    if not members:
        return pa.nulls(length, pa.string())
    # "skip" would drop a row whose members are all null (pyarrow 26), hence a comma in each member
    body = pc.binary_join_element_wise(*members, "", null_handling="replace", null_replacement="")
    body = pc.if_else(pc.equal(body, ""), pa.scalar(None, pa.string()), body)
    return pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(body, 1), "}", "")


def _member(name: str, column: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring_regex(column, _NEEDS_ESCAPE)).as_py():
        value = map_distinct(column, quote, pa.string())
        return pc.binary_join_element_wise(f",{quote(name)}:", value, "")
    return pc.binary_join_element_wise(f',{quote(name)}:"', column, '"', "")
