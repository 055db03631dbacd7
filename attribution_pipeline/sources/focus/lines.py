"""Columns of a file to charge lines: one row in, one line or one rejection out.

Belongs here: what makes a row unusable, fallbacks between columns, the order of checks. Does not:
conversions (``amounts``, ``instants``, ``tags``, ``text``), rows that only other rows can judge
(``split``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.model.evidence import (
    CHARGE_LINES,
    FOCUS_INSTANT_COLUMNS,
    FOCUS_TEXT_COLUMNS,
)
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.focus import amounts, extras, tags
from attribution_pipeline.sources.focus.columns import COSTS, ISSUERS, Columns
from attribution_pipeline.sources.focus.instants import to_instants
from attribution_pipeline.sources.focus.text import as_text, map_distinct
from attribution_pipeline.sources.objects import SourceObject

CHARGE_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")

VOCABULARIES: dict[str, tuple[str, ...]] = {
    "ChargeCategory": CHARGE_CATEGORIES,
    "ChargeClass": ("Correction",),
    "ChargeFrequency": ("One-Time", "Recurring", "Usage-Based"),
    "PricingCategory": ("Standard", "Dynamic", "Committed", "Other"),
    "CommitmentDiscountCategory": ("Spend", "Usage"),
    "CommitmentDiscountStatus": ("Used", "Unused"),
}
"""Allowed values, FOCUS 1.2. Spelled so whatever the export's casing (OCI: ``Usage-based``); other
words stay as written, except in ChargeCategory."""

NUMBER_COLUMNS = (
    "CommitmentDiscountQuantity", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice",
    "ListCost", "ListUnitPrice", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity",
)  # fmt: skip
"""Text columns that the engine computes with: null where not a number, the text kept in
``x_columns``. Zero stays zero (Azure writes 0 for an unknown ListCost): we cannot know better."""

TAG_COLUMNS = ("AllocatedTags", "Tags")

_CURRENCY = r"^[A-Z]{3}$"
_DETAIL_CHARACTERS = 40


@dataclass(frozen=True)
class Lines:
    """What a stretch of a file gave. Landed rows and rejections are all of its rows, each once."""

    rows: pa.Table
    rejected: list[Rejected]
    rounding_moved: Decimal


@dataclass(frozen=True)
class _Check:
    reason: str
    failed: pa.Array
    column: str
    text: pa.Array
    remedy: str


def to_lines(
    raw: list[pa.Array], columns: Columns, obj: SourceObject, object_id: str, first_position: int
) -> Lines:
    """``raw``: the file's columns, in its order, of equal length. Positions count from 1."""
    length = len(raw[0])
    texts: dict[str, pa.Array] = {}
    for name in (*COSTS, *FOCUS_TEXT_COLUMNS):
        index = columns.focus.get(name)
        texts[name] = pa.nulls(length, pa.string()) if index is None else as_text(raw[index])
    others = [(name, as_text(raw[index])) for name, index in columns.other]
    native_id = extras.native_ids(others, length)
    others += _normalise(texts)

    checks: list[_Check] = []
    typed: dict[str, pa.Array] = {}
    costs: list[amounts.Money] = []
    for name in COSTS:
        money = amounts.to_money(texts[name])
        costs.append(money)
        typed[name] = money.values
        checks += _required(name, texts[name], money.unreadable, "a FOCUS number within 26 digits")
    currency = texts["BillingCurrency"]
    unknown = pc.invert(pc.fill_null(pc.match_substring_regex(currency, _CURRENCY), True))
    checks += _required("BillingCurrency", currency, unknown, "an ISO 4217 code")
    never = pa.repeat(pa.scalar(False), length)
    checks += _required("BillingAccountId", texts["BillingAccountId"], never, "")
    checks += _required("InvoiceIssuerName", texts["InvoiceIssuerName"], never, "")
    category = texts["ChargeCategory"]
    stranger = pc.and_(
        pc.is_valid(category), pc.invert(pc.is_in(category, value_set=pa.array(CHARGE_CATEGORIES)))
    )
    checks += _required("ChargeCategory", category, stranger, ", ".join(CHARGE_CATEGORIES))
    for name in FOCUS_INSTANT_COLUMNS:
        column = raw[columns.focus[name]]
        typed[name], unreadable = to_instants(column)
        checks += _required(
            name, as_text(column), unreadable, "an ISO 8601 instant (2026-10-05T00:00:00Z)"
        )
    checks += [_ordered(kind, typed, raw, columns) for kind in ("BillingPeriod", "ChargePeriod")]

    rejected, landed = _judge(checks, length, first_position)
    table = pa.table(
        [
            pa.repeat(pa.scalar(object_id), length),
            pa.array(range(first_position, first_position + length), pa.int64()),
            pa.repeat(pa.scalar(obj.delivery), length),
            pa.repeat(pa.scalar(obj.delivery_order), length),
            *[typed[name] for name in (*COSTS, *FOCUS_INSTANT_COLUMNS)],
            *[texts[name] for name in FOCUS_TEXT_COLUMNS],
            native_id,
            extras.as_json(others, length),
        ],
        schema=CHARGE_LINES,
    )
    moved = amounts.moved_by(costs, landed)
    return Lines(table.filter(landed) if rejected else table, rejected, moved)


def _normalise(texts: dict[str, pa.Array]) -> list[tuple[str, pa.Array]]:
    """Bring text columns into one spelling; returns further x columns: what that could not keep."""
    kept: list[tuple[str, pa.Array]] = []
    for name, words in VOCABULARIES.items():
        texts[name] = map_distinct(texts[name], partial(_spelled, words), pa.string())
    texts["BillingCurrency"] = map_distinct(
        texts["BillingCurrency"], lambda v: v.strip().upper(), pa.string()
    )
    for name in NUMBER_COLUMNS:
        texts[name], others = amounts.to_number_text(texts[name])
        kept.append((f"x_{name}AsWritten", others))
    for name in TAG_COLUMNS:
        raw = texts[name]
        texts[name] = map_distinct(raw, lambda v: tags.canonical(v).text, pa.string())
        as_written = map_distinct(raw, lambda v: tags.canonical(v).as_written, pa.string())
        kept.append((f"x_{name}AsWritten", as_written))
    # AWS may leave the issuer null (its FOCUS conformance page); up to 1.2 the service provider
    # is called ProviderName
    texts["InvoiceIssuerName"] = pc.coalesce(*[texts[name] for name in ISSUERS])
    texts["ServiceProviderName"] = pc.coalesce(texts["ServiceProviderName"], texts["ProviderName"])
    return kept


def _spelled(words: tuple[str, ...], value: str) -> str:
    folded = value.strip().casefold()
    return next((word for word in words if word.casefold() == folded), value)


def _required(name: str, text: pa.Array, unreadable: pa.Array, wanted: str) -> list[_Check]:
    word = _snake(name)
    return [
        _Check(f"missing_{word}", pc.is_null(text), name, text, "the export must fill it"),
        _Check(f"unreadable_{word}", unreadable, name, text, f"it must be {wanted}"),
    ]


def _ordered(
    kind: str, typed: dict[str, pa.Array], raw: list[pa.Array], columns: Columns
) -> _Check:
    start, end = typed[f"{kind}Start"], typed[f"{kind}End"]
    return _Check(
        f"{_snake(kind)}_not_positive",
        pc.fill_null(pc.less_equal(end, start), False),
        f"{kind}End",
        as_text(raw[columns.focus[f"{kind}End"]]),
        f"it must be later than {kind}Start",
    )


def _judge(
    checks: Iterable[_Check], length: int, first_position: int
) -> tuple[list[Rejected], pa.Array]:
    """The first check that fails names the reason of a row; bool: which rows land."""
    found: dict[int, Rejected] = {}
    for check in checks:
        for index in pc.indices_nonzero(check.failed).to_pylist():
            if index in found:
                continue
            value = check.text[index].as_py()
            shown = "null" if value is None else repr(value[:_DETAIL_CHARACTERS])
            found[index] = Rejected(
                first_position + index, check.reason, f"{check.column} is {shown}: {check.remedy}"
            )
    landed = pa.repeat(pa.scalar(True), length)
    if found:
        flags = [True] * length
        for index in found:
            flags[index] = False
        landed = pa.array(flags, pa.bool_())
    return [found[index] for index in sorted(found)], landed


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
