"""Allocated rows as tables: dimensions of the line, identity of the ledger's row, metrics of the part.

Belongs here: what stands in which column. Does not: how metrics are divided (``allocation``), which
parts there are (``stage``), files (``files``).

A staged table has every column that any version has, numbers as exact text. Grain: one allocated row,
or a line that nothing divided.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attribution_pipeline.export import columns
from attribution_pipeline.export.allocation import METRICS
from attribution_pipeline.export.parts import Number, plain
from attribution_pipeline.model.ledger import WHO

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.export.allocation import Part
    from attribution_pipeline.export.origins import Charge
    from attribution_pipeline.lake.states import Published

ORIGIN_DIGITS = 32
"""Hex digits of an origin's id: 128 bits of sha256, as the ledger's ids."""

NO_COST = "no_cost"
"""Reason of a line that nothing divides: it costs nothing, or cancels out within its charge. Of the
export alone; the ledger has no row for it."""

TAG_PREFIX = "attribution/"
"""FOCUS, TagFormat: keys that a generator sets itself are prefixed. So they never repeat the bill's."""

NEAREST = {
    "ServiceProviderName": ("ServiceProviderName", "ProviderName", "InvoiceIssuerName"),
    "ProviderName": ("ProviderName", "ServiceProviderName", "InvoiceIssuerName"),
    "PublisherName": ("PublisherName", "ProviderName", "ServiceProviderName", "InvoiceIssuerName"),
    "HostProviderName": ("HostProviderName", "ServiceProviderName", "ProviderName"),
}
"""The provider's names moved between versions (1.3 brought two and deprecated two): a bill in one shape
is exported in the others under the nearest name that it has."""

UNITS = {
    "CommitmentDiscountUnit": "CommitmentDiscountQuantity",
    "ConsumedUnit": "consumed_quantity",
    "PricingUnit": "pricing_quantity",
}
"""FOCUS: a unit is null where its quantity is (a tax has neither), though bills name one all the same."""

NAMED_BY = ("tenant_id", "consumer_id", "project", "workflow_id", "task", "feature", "agent",
            "operation_name", "model", "token_kind")  # fmt: skip
"""What AllocatedResourceName says of a row, in this order."""


class Chunk:
    """Parts of some charges, put together into one staged table."""

    def __init__(self) -> None:
        self._lines: list[pa.Table] = []
        self._rows: list[pa.Table] = []
        self._line_base = self._row_base = 0
        self._line_at: list[int] = []
        self._row_at: list[int | None] = []
        self._methods: list[str | None] = []
        self._details: list[str | None] = []
        self._metrics: dict[str, list[str | None]] = {
            name: [] for name in ("BilledCost", "EffectiveCost", *METRICS)
        }

    def __len__(self) -> int:
        return len(self._line_at)

    def begin(self, charge: Charge) -> None:
        """The parts that follow are of this charge."""
        assert charge.lines is not None
        self._line_base = sum(table.num_rows for table in self._lines)
        self._lines.append(charge.lines)
        if charge.rows is not None:
            self._row_base = sum(table.num_rows for table in self._rows)
            self._rows.append(charge.rows)

    def add(self, part: Part, method: str) -> None:
        """One part; ``method`` names the rule where the part is of a division."""
        self._line_at.append(self._line_base + part.line)
        self._row_at.append(None if part.row is None else self._row_base + part.row)
        self._methods.append(method if part.is_split else None)
        self._details.append(part.details)
        for name, texts in self._metrics.items():
            texts.append(part.metrics[name])

    def table(self, state: Published) -> pa.Table:
        """The staged table of one day's parts."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names = columns.staged_names()
        if not self._line_at:
            return pa.schema([pa.field(name, type_of(name)) for name in names]).empty_table()
        lines = pa.concat_tables(self._lines).take(pa.array(self._line_at, pa.int64()))
        found = {name: pa.array(texts, pa.string()) for name, texts in self._metrics.items()}
        found |= _of_lines(lines)
        rows = None
        if self._rows:
            rows = _with_names(pa.concat_tables(self._rows)).take(
                pa.array(self._row_at, pa.int64())
            )
        found |= _of_rows(rows, len(self), state)
        is_split = pc.is_valid(pa.array(self._methods, pa.string()))
        details = pa.array(self._details, pa.string())
        null = pa.scalar(None, pa.string())
        found["AllocatedMethodId"] = pa.array(self._methods, pa.string())
        found["AllocatedMethodDetails"] = details
        found["AllocatedResourceId"] = pc.if_else(is_split, found["x_AttributionId"], null)
        for name in ("AllocatedResourceName", "AllocatedTags"):
            found[name] = pc.if_else(is_split, found[name], null)
        in_group = pc.is_valid(details)
        found["x_SplitOriginId"] = pc.if_else(in_group, found["x_OriginId"], null)
        found["x_SplitOriginCost"] = pc.if_else(
            in_group, lines["billed_cost"].cast(pa.string()), null
        )
        said = {"x_ChargeDate": state.day.isoformat(), "x_Dataset": columns.DATASET,
                "x_ManifestId": state.manifest_id}  # fmt: skip
        found |= {name: pa.repeat(text, len(self)) for name, text in said.items()}
        return pa.table({name: found[name].cast(type_of(name)) for name in names})


def type_of(staged: str) -> pa.DataType:
    """A staged column's type: instants in UTC, everything else text."""
    import pyarrow as pa

    is_instant = columns.kind_of(staged) == "instant"
    return pa.timestamp("us", tz="UTC") if is_instant else pa.string()


def _of_lines(lines: pa.Table) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    made = (
        *columns.SUMMABLE,
        *columns.SPLIT,
        *columns.OF_EXPORT,
        *columns.OF_ROW,
        *columns.OF_LINE,
    )
    found = {name: lines[name] for name in columns.staged_names() if name not in made}
    for name in columns.UNIT_PRICES:
        found[name] = _each(lines[name], lambda text: _plain(Number.of(text)))
    for name, known in NEAREST.items():
        found[name] = pc.coalesce(*(lines[one] for one in known))
    for unit, quantity in UNITS.items():
        there = pc.is_valid(lines[quantity])
        found[unit] = pc.if_else(there, lines[unit], pa.scalar(None, pa.string()))
    ids = lines.select(["source", "object_id", "position", "charge_day"]).to_pylist()
    origins = pa.array([_origin_id(one) for one in ids], pa.string())
    found |= {
        ours: origins if theirs == "origin_id" else lines[theirs].cast(pa.string())
        for ours, theirs in columns.OF_LINE.items()
    }
    return found


def _of_rows(rows: pa.Table | None, length: int, state: Published) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = {**columns.OF_ROW, "AllocatedResourceName": "AllocatedResourceName",
             "AllocatedTags": "AllocatedTags"}  # fmt: skip
    nothing = pa.nulls(length, pa.string())
    found = {
        ours: nothing if rows is None else rows[theirs].cast(pa.string())
        for ours, theirs in names.items()
    }
    alone = pc.is_null(found["x_AttributionId"])
    said = {"x_Confidence": "unallocated", "x_UnallocatedReason": NO_COST, "x_Kernel": state.kernel,
            "x_PolicyId": state.policy, "x_PolicyVersion": str(state.policy_version),
            "x_PolicyDigest": state.policy_digest}  # fmt: skip
    return found | {name: pc.if_else(alone, text, found[name]) for name, text in said.items()}


def _with_names(rows: pa.Table) -> pa.Table:
    """Ledger rows with AllocatedTags and AllocatedResourceName."""
    import pyarrow as pa

    said = ("unallocated_reason", "component", "operation_name", "model", "token_kind")
    records = rows.select([*WHO, *said]).to_pylist()
    tags = pa.array([_tags(record) for record in records], pa.string())
    names = pa.array([_name(record) for record in records], pa.string())
    return rows.append_column("AllocatedTags", tags).append_column("AllocatedResourceName", names)


def _tags(record: Mapping[str, Any]) -> str:
    """FOCUS, AllocatedTags: JSON of scalars; nobody's are no tags."""
    said = {TAG_PREFIX + name.removesuffix("_id"): record[name] for name in WHO if record[name]}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _name(record: Mapping[str, Any]) -> str:
    reason = record["unallocated_reason"]
    parts = [record["component"], *(record[name] for name in NAMED_BY if record[name])]
    return " / ".join([f"unallocated: {reason}", *parts] if reason else parts)


def _origin_id(line: Mapping[str, Any]) -> str:
    """Of a line's slice of a day: the same in every export of the same landed bill."""
    said = (
        line["source"],
        line["object_id"],
        str(line["position"]),
        line["charge_day"].isoformat(),
    )
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()[:ORIGIN_DIGITS]


def _plain(number: Number) -> str:
    return plain(number.digits, number.scale)


def _each(texts: Any, change: Callable[[str], str]) -> Any:
    """A function of every distinct text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pc.dictionary_encode(texts.combine_chunks())
    values: Sequence[str] = encoded.dictionary.to_pylist()
    return pa.array([change(value) for value in values], pa.string()).take(encoded.indices)
