"""Tables of a page: columns, rows with their links, and the tail that every amount carries.

Belongs here: from an Arrow table to what a template shows; the same Arrow table is what an export
writes, so nobody exports other figures than he sees. Does not: queries, HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.views.dashboard import amounts
from attribution_pipeline.views.dashboard.place import word
from attribution_pipeline.views.spend.table import COSTS, at_zero

if TYPE_CHECKING:
    import pyarrow as pa

Record = Mapping[str, Any]

SHOWN = 30
"""Rows of a table on a page, dearest first; an export has all of them."""

WIDE = 5
"""Columns from which on a table is set narrower."""

AMOUNTS = ("money", "signed", "rate")
"""Kinds of columns that are amounts of a currency."""

NOBODY = {
    "feature": "no feature", "tenant_id": "nobody named", "workflow_id": "no workflow",
    "task": "no task", "agent": "no agent", "model": "no model", "team": "no team",
    "cost_center": "no cost center", "environment": "no environment", "pool": "no pool",
    "resource_id": "no resource", "unallocated_reason": "none",
}  # fmt: skip
"""What is shown for null, by column."""

EXPLAINED = {
    "metered": "the bill's own meter, divided by what each call used",
    "allocated": "shared by a measured driver",
    "estimated": "shared by evidence that is not complete",
    "unallocated": "on nobody's account",
}
"""Confidence in a sentence."""


@dataclass(frozen=True)
class Tail:
    """How sure an amount is, whether it may still move, and by which rule it stands."""

    total: Decimal
    by_confidence: Mapping[str, Decimal]
    provisional: Decimal
    restated: Decimal
    policy: str
    status: str | None
    """As the common tail tells it, by its rows; None where nothing costs anything."""

    @staticmethod
    def of(record: Record, metric: str) -> Tail:
        """Of a record with the common tail (``views.spend.table.tail``)."""
        zero = Decimal(0)
        return Tail(
            record[metric] if record[metric] is not None else zero,
            {name: record.get(name) or zero for name in CONFIDENCES},
            record.get("provisional") or zero,
            record.get("restated") or zero,
            record.get("policy_versions") or "",
            record["status"],
        )

    @property
    def settlement(self) -> str:
        """``provisional``, ``settled``, ``restated``, ``partly provisional``; a dash without cost."""
        return self.status or amounts.NOTHING

    @property
    def settlement_said(self) -> str:
        """For who asks what the word means."""
        match self.status:
            case None:
                return "nothing costs anything here"
            case "restated":
                return f"{amounts.money(self.restated)} of it moved after its period was closed"
            case "settled":
                return "closed: final"
            case "provisional":
                return "of open periods: it may still move"
        part = f"{amounts.money(self.provisional)} of {amounts.money(self.total)}"
        return f"{part} is of open periods and may still move"

    @cached_property
    def parts(self) -> list[tuple[str, float, str]]:
        """(confidence, share for a bar, in words), surest first, of what is there."""
        whole = sum((abs(part) for part in self.by_confidence.values()), Decimal(0))
        return [
            (name, amounts.share(abs(part), whole),
             f"{name} {amounts.percent(abs(part), whole)}: {EXPLAINED[name]}")
            for name, part in self.by_confidence.items() if part
        ]  # fmt: skip

    @cached_property
    def said(self) -> str:
        """The bar in words."""
        shares = ", ".join(text.partition(":")[0] for _, _, text in self.parts)
        return shares or "nothing"


@dataclass(frozen=True)
class Column:
    """``kind``: text, money, signed, rate (what one of something costs), count, number, share, cover, instant, time, day, yes,
    said (a sentence with figures).
    ``digits``: of amounts, the same in all rows."""

    name: str
    title: str = ""
    kind: str = "text"
    hint: str = ""
    digits: Decimal | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    """What people say for a value that programs read."""
    missing: str = ""
    """What is said for null, where it is not a dash or ``NOBODY``."""
    hints: str = ""
    """Another column of the record, that is said below the cell."""

    def below(self, record: Record) -> str:
        """What stands under the cell."""
        return str(record[self.hints] or "") if self.hints else ""

    @property
    def head(self) -> str:
        """The title, or what people call the column."""
        return self.title or word(self.name)

    @property
    def is_number(self) -> bool:
        """Whether cells stand right."""
        return self.kind in (*AMOUNTS, "count", "share", "cover", "number")

    def shown(self, record: Record) -> str:
        """A cell as text. Templates escape it."""
        value = record[self.name]
        if value is None and self.missing:
            return self.missing
        match self.kind:
            case "money" | "signed" | "rate":
                text = amounts.aligned(value, self.digits or amounts.CENT)
                plus = self.kind == "signed" and value and value > 0 and text[0].isdigit()
                return f"+{text}" if plus else text
            case "count":
                return amounts.count(value)
            case "number":
                return amounts.NOTHING if value is None else f"{value.normalize():,f}"
            case "share" | "cover":
                return amounts.NOTHING if value is None else amounts.percent(value, Decimal(1))
            case "instant":
                return amounts.instant(value)
            case "time":
                return amounts.NOTHING if value is None else f"{value:%H:%M:%S}"
            case "day":
                return amounts.NOTHING if value is None else amounts.day(value)
            case "said":
                return amounts.minus(value or "")
            case "yes":
                return amounts.NOTHING if value is None else "yes" if value else "no"
        return (
            NOBODY.get(self.name, amounts.NOTHING)
            if value is None
            else (self.words.get(str(value), str(value)))
        )

    def exact(self, record: Record) -> str:
        """Every digit of an amount or an instant, for who points at it."""
        value = record[self.name]
        if self.kind == "instant":
            return amounts.moment(value)
        return amounts.exact(value) if self.kind in AMOUNTS else ""

    def is_missing(self, record: Record) -> bool:
        """Whether the cell stands for a null."""
        return record[self.name] is None


@dataclass(frozen=True)
class Row:
    """One record, where it leads, its tail and its share of the whole."""

    record: Record
    href: str | None = None
    tail: Tail | None = None
    share: float = 0.0
    share_said: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table of a page. ``name`` is its name in an export; ``data`` all its rows and columns."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    data: pa.Table
    note: str = ""
    empty: str = ""
    shares: bool = False
    tails: bool = True
    total_rows: int = 0
    at_zero: int = 0
    """Rows of ``data`` that cost nothing and did nothing: the page leaves them out."""

    @property
    def is_wide(self) -> bool:
        """Whether it takes narrow cells to fit."""
        return len(self.columns) > WIDE

    @property
    def says_currency(self) -> str | None:
        """The one column whose head names the currency: every amount beside it is in the same."""
        money = [column.name for column in self.columns if column.kind == "money"]
        return money[-1] if money else None

    @property
    def hidden(self) -> int:
        """Rows that the page does not show."""
        return max(0, self.total_rows - self.at_zero - len(self.rows))


def sheet(
    name: str, title: str, data: pa.Table, columns: Sequence[Column], *, metric: str | None = None,
    href: Callable[[Record], str | None] = lambda _record: None, total: Decimal | None = None,
    note: str = "", empty: str = "Nothing here.", most: int = SHOWN, scale: Decimal | None = None,
) -> Sheet:  # fmt: skip
    """A sheet of a table's first rows. ``metric``: its cost column, where rows carry the tail;
    ``total``: what each row's share is of. ``scale``: an amount that says how many digits costs have, so
    that tables of one whole have the same; by default the total, and without one the rows' largest."""
    import pyarrow.compute as pc

    with_tail = metric is not None and "policy_versions" in data.column_names
    zero = at_zero(data) if with_tail else None
    kept = data.filter(pc.invert(zero)) if zero is not None and zero.true_count else data
    records = kept[:most].to_pylist()
    rows = [
        Row(
            record, href(record), Tail.of(record, metric) if with_tail and metric else None,
            *((amounts.share(record[metric], total), amounts.percent(record[metric], total))
              if total and metric else ()),
        )
        for record in records
    ]  # fmt: skip
    of_whole = scale if scale is not None else total
    digits = amounts.digits_of_whole(of_whole) if of_whole else None
    columns = [
        replace(column, digits=digits if digits and column.kind != "rate"
                else _digits(column, columns, records))
        if column.kind in AMOUNTS else column
        for column in columns
    ]  # fmt: skip
    return Sheet(
        name, title, columns, rows, data, note, empty, total is not None, with_tail, data.num_rows,
        zero.true_count if zero is not None else 0,
    )  # fmt: skip


def _digits(column: Column, columns: Sequence[Column], records: Sequence[Record]) -> Decimal:
    """A change is spelled as the amounts that it is between."""
    names = [column.name] if column.kind != "signed" else [
        one.name for one in columns if one.kind in ("money", "signed")
    ]  # fmt: skip
    return amounts.digits_of(record[name] for record in records for name in names)


def where(data: pa.Table, keep: Callable[[Record], bool]) -> pa.Table:
    """The rows that are kept."""
    import pyarrow as pa

    return data.filter(pa.array([keep(record) for record in data.to_pylist()], pa.bool_()))


def in_currency(data: pa.Table, currency: str | None) -> pa.Table:
    """What is in the shown currency, and what has no cost in any."""
    return where(data, lambda record: record["billing_currency"] in (None, currency))


OF_COST = (
    "billing_currency", "billed_cost", "effective_cost", *CONFIDENCES, "provisional", "restated",
    "status", "policy_versions",
)  # fmt: skip


def each_in_currency(
    data: pa.Table, currency: str | None, key: Callable[[Record], object]
) -> pa.Table:
    """``in_currency``, of rows that stand for something that is there whatever it cost in: what costs
    only in other currencies is kept, without a cost."""
    import pyarrow as pa

    records = data.to_pylist()
    there = {key(one) for one in records if one["billing_currency"] in (None, currency)}
    kept = []
    for record in records:
        if record["billing_currency"] in (None, currency):
            kept.append(record)
        elif key(record) not in there:
            there.add(key(record))
            kept.append({name: None if name in OF_COST else v for name, v in record.items()})
    return pa.Table.from_pylist(kept, schema=data.schema)


def others_said(data: pa.Table, metric: str, currency: str | None) -> str:
    """What is left out by ``in_currency``, as a note: currencies are never added."""
    sums: dict[str, Decimal] = {}
    for name, cost in zip(
        data["billing_currency"].to_pylist(), data[metric].to_pylist(), strict=True
    ):
        if name not in (None, currency):
            sums[name] = sums.get(name, Decimal(0)) + (cost or 0)
    if not sums:
        return ""
    said = ", ".join(f"{amounts.money(cost)} {name}" for name, cost in sorted(sums.items()))
    return f"Beside it {said}. Currencies are not added: choose another above."


def with_word_tail(data: pa.Table, metric: str) -> pa.Table:
    """Rows that have one confidence and one settlement each, with the common tail's amounts."""
    import pyarrow as pa

    zero = Decimal(0)
    records = data.to_pylist()
    money = pa.decimal128(38, 12)
    columns = {
        **{name: ("confidence", name) for name in CONFIDENCES},
        "provisional": ("settlement", "provisional"),
        "restated": ("settlement", "restated"),
    }
    for name, (of, value) in columns.items():
        amounts_of = [record[metric] if record[of] == value else zero for record in records]
        data = data.append_column(pa.field(name, money), pa.array(amounts_of, money))
    return data.append_column("status", data["settlement"])


def merged_status(words: Sequence[str | None]) -> str | None:
    """The status of several rows together (``views.spend.table.tail``)."""
    found = {word for word in words if word is not None}
    if "restated" in found or not found:
        return "restated" if found else None
    return found.pop() if len(found) == 1 else "partly provisional"


def merged_tail(records: Sequence[Record], metric: str) -> Tail:
    """The tail of several rows together."""
    zero = Decimal(0)

    def total(name: str) -> Decimal:
        return sum((record[name] or zero for record in records), zero)

    costing = [record for record in records if any(record[name] for name in COSTS)]
    policies = sorted({record["policy_versions"] or "" for record in costing or records} - {""})
    return Tail(
        total(metric), {name: total(name) for name in CONFIDENCES}, total("provisional"),
        total("restated"), ", ".join(policies),
        merged_status([record["status"] for record in records]),
    )  # fmt: skip
