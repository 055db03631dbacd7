"""An explanation as a person reads it: one sentence first, then parts, groups, requests.

Belongs here: words, rounding for the eye, tables. Does not: any figure of its own. Exact amounts
are in the other formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.money import SCALE
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.explain.observed import ARROW, name_of, observed
from attribution_pipeline.views.explain.parts import (
    BEFORE_FIRST_DAY,
    GROUPS,
    PARTS,
    Explanation,
    Sums,
)
from attribution_pipeline.views.explain.periods import Period
from attribution_pipeline.views.explain.reading import Route
from attribution_pipeline.views.explain.shapley import apportioned
from attribution_pipeline.views.text_table import text_table

if TYPE_CHECKING:
    import pyarrow as pa

NAMES: Mapping[str, str] = {
    "workload": "own machines", "shared": "shared cost",
    "idle": "idle cost", "other_direct": "charged directly", "correction": "corrections",
    "credit": "credits", BEFORE_FIRST_DAY: "charges from before the first recorded day",
}  # fmt: skip
"""Parts that are not called by their own name. No name says a direction: a part is made within every
workflow and route, and may go another way than the fleet's average beside it. The amount says it."""


def name_of_part(part: str) -> str:
    """What people call a part."""
    return NAMES.get(part, part.replace("_", " "))


ELSE = "everything else"
EVERYBODY = "Everybody together, unallocated cost included,"
NAMED = 4
"""Parts that the sentence names; the rest is ``ELSE``."""
REASONS = 2
"""Parts that a group names."""
MOST_GROUPS = 20
"""Groups of the table on a terminal: more is scrolled past, not read."""
UNKNOWN = "(none)"

_CENTS_FROM = 10 * 10**SCALE
_FINE_FROM = 10**SCALE // 10
_CENTS, _FINE, _FINEST = 2, 4, 8
"""Decimals for the eye, by how large the larger of both costs is."""


@dataclass(frozen=True)
class Scale:
    """Money for the eye: so many decimals, thousands apart."""

    decimals: int

    @staticmethod
    def of(largest: int) -> Scale:
        """For amounts up to ``largest`` quanta."""
        if largest >= _CENTS_FROM:
            return Scale(_CENTS)
        return Scale(_FINE if largest >= _FINE_FROM else _FINEST)

    @property
    def unit(self) -> int:
        """Quanta."""
        quanta: int = 10 ** (SCALE - self.decimals)
        return quanta

    def units(self, quanta: int) -> int:
        """Rounded half-even."""
        return round(Fraction(quanta, self.unit))

    def spelled(self, units: int, *, signed: bool = False) -> str:
        """``1,234.50``; with its sign ``+1,234.50``."""
        whole, rest = divmod(abs(units), 10**self.decimals)
        sign = "-" if units < 0 else "+" if signed and units else ""
        return f"{sign}{whole:,}.{rest:0{self.decimals}d}"

    def money(self, quanta: int) -> str:
        """Quanta as an amount."""
        return self.spelled(self.units(quanta))

    def rounded(self, sums: Sums) -> tuple[int, int, dict[str, int]]:
        """Both costs and the parts in units; the parts sum to the difference of the costs."""
        against, now = self.units(sums.against), self.units(sums.now)
        exact = {part: Fraction(sums.parts[part], self.unit) for part in PARTS}
        # what is booked on the first day is an amount of the bill: its own cents stand
        largest = max(
            PARTS,
            key=lambda part: (part != BEFORE_FIRST_DAY and bool(exact[part]), abs(exact[part])),
        )
        exact[largest] += now - against - sum(exact.values())
        shown = apportioned(list(exact.values()), now - against)
        return against, now, dict(zip(PARTS, shown, strict=True))


def lines(
    found: Explanation, against: Period, now: Period, *, tenant: str | None, metric: str,
    by: Sequence[str], requests: pa.Table | None,
) -> Iterator[str]:  # fmt: skip
    """The whole answer: per currency its sentence and tables."""
    for currency in found.currencies:
        total = found.total(currency)
        scale = Scale.of(max(abs(total.against), abs(total.now)))
        yield sentence(total, scale, currency, against, now, tenant=tenant, metric=metric)
        yield ""
        unbilled = {*against.unbilled, *now.unbilled}
        seen = observed(found, currency, scale.money, unbilled)
        yield from _parts(total, scale, currency, seen)
        yield ""
        yield from _groups(found, currency, scale, against, now, by)
        mine = [] if requests is None else [
            row for row in requests.to_pylist() if row["billing_currency"] == currency
        ]  # fmt: skip
        if mine:
            yield ""
            yield from _requests(mine, scale, now, against)
        yield ""
    if any(found.unmetered):
        before, after = found.unmetered
        yield (
            f"{before:,}{ARROW}{after:,} calls do not say what they used: they are in no count of "
            "requests or tokens"
        )
    yield "rounded for the eye; every digit with --format csv or json"


def sentence(
    total: Sums, scale: Scale, currency: str | None, against: Period, now: Period, *,
    tenant: str | None, metric: str,
) -> str:  # fmt: skip
    """``acme spent 12.40 USD more ...: requests +9.10, ...``."""
    before, after, parts = scale.rounded(total)
    who = terminal_cell(tenant) if tenant is not None else EVERYBODY
    money = f" {terminal_cell(currency)}" if currency else ""
    change = after - before
    ends = (
        f"{scale.spelled(after)} {_when(now)}, {scale.spelled(before)} {_when(against)}, {metric}"
    )
    reasons = _reasons(parts, scale, NAMED)
    because = f": {reasons}" if reasons else ""
    if parts[BEFORE_FIRST_DAY]:
        without = _moved(change - parts[BEFORE_FIRST_DAY], scale, money)
        because += f"; without {NAMES[BEFORE_FIRST_DAY]} {without}"
    if not change:
        return f"{who} spent the same{money} ({ends}){because}"
    return f"{who} spent {_moved(change, scale, money)} ({ends}){because}"


def _moved(change: int, scale: Scale, money: str) -> str:
    if not change:
        return "the same"
    return f"{scale.spelled(abs(change))}{money} {'more' if change > 0 else 'less'}"


def _when(period: Period) -> str:
    return f"{'on' if period.first == period.last else 'in'} {period.name}"


def mostly(sums: Sums, scale: Scale) -> str:
    """The largest parts of a group in words, each rounded for itself, as beside its exact change."""
    return _reasons({part: scale.units(sums.parts[part]) for part in PARTS}, scale, REASONS)


def _reasons(parts: Mapping[str, int], scale: Scale, most: int) -> str:
    """The largest parts in words, and what is left of the change."""
    moved = sorted(
        (part for part in PARTS if parts[part]), key=lambda part: (-abs(parts[part]), part)
    )
    named = moved[:most] if len(moved) > most + 1 else moved
    said = [f"{name_of_part(part)} {scale.spelled(parts[part], signed=True)}" for part in named]
    rest = sum(parts[part] for part in moved[len(named) :])
    if len(moved) > len(named):
        said.append(f"{ELSE} {scale.spelled(rest, signed=True)}")
    return ", ".join(said)


def _parts(
    total: Sums, scale: Scale, currency: str | None, seen: Mapping[str, str]
) -> Iterator[str]:
    before, after, parts = scale.rounded(total)
    head = ["part", f"change {terminal_cell(currency)}".rstrip(), "seen"]
    rows = [
        [name_of_part(part), scale.spelled(parts[part], signed=True), seen.get(part, "")]
        for part in sorted(PARTS, key=lambda part: -abs(parts[part]))
        if parts[part]
    ]
    ends = f"{scale.spelled(before)}{ARROW}{scale.spelled(after)}"
    rows.append(["change", scale.spelled(after - before, signed=True), ends])
    yield from text_table(head, rows, right=[head[1]], last_is_total=True).splitlines()
    small = sum(bool(total.parts[part]) and not parts[part] for part in PARTS)
    if small:
        yield f"{small} {'part' if small == 1 else 'parts'} under {scale.spelled(1)} not shown"


def _groups(
    found: Explanation, currency: str | None, scale: Scale, against: Period, now: Period,
    by: Sequence[str],
) -> Iterator[str]:  # fmt: skip
    columns = [column for name in by for column in GROUPS[name]]
    groups = {
        group: sums for group, sums in found.by(columns).items()
        if group[-1] == currency and any((sums.against, sums.now, *sums.parts.values()))
    }  # fmt: skip
    head = [*by, against.name, now.name, "change", "mostly"]
    rows = []
    for group, sums in list(groups.items())[:MOST_GROUPS]:
        # each for itself, as on the dashboard: the difference of two rounded ends is not the change
        change = scale.units(sums.change)
        rows.append(
            [
                *_names(by, group), scale.money(sums.against), scale.money(sums.now),
                scale.spelled(change, signed=True), mostly(sums, scale),
            ]
        )  # fmt: skip
    yield from text_table(head, rows, right=head[len(by) : -1]).splitlines()
    if len(groups) > MOST_GROUPS:
        yield f"{len(groups):,} groups, of which those are shown whose change is largest"


def _names(by: Sequence[str], group: Sequence[str | None]) -> list[str]:
    values = list(group)
    names = []
    for name in by:
        if name == "model":
            provider, model = values.pop(0), values.pop(0)
            route = Route(provider, model)
            names.append(terminal_cell(name_of(route)) if any(route) else UNKNOWN)
        else:
            value = values.pop(0)
            names.append(terminal_cell(value) if value is not None else UNKNOWN)
    return names


def _requests(
    rows: Sequence[Mapping[str, Any]], scale: Scale, now: Period, against: Period
) -> Iterator[str]:
    yield (
        f"calls of {now.name} that cost most unlike the usual call of their workflow in "
        f"{against.name}:"
    )
    head = [
        "ended", "workflow", "model", "attempt", "input", "cached", "output", "cost", "usual",
        "more", "trace",
    ]  # fmt: skip
    fine = Scale(max(scale.decimals, _FINE))
    cells = [
        [
            f"{row['ended_at']:%Y-%m-%d %H:%M:%S}", terminal_cell(row["workflow_id"]) or UNKNOWN,
            terminal_cell(name_of(Route(row["provider"], row["model"]))), str(row["attempt"]),
            *(f"{row[name]:,}" for name in ("input_tokens", "cached_tokens", "output_tokens")),
            fine.money(_quanta(row["cost"])), fine.money(_quanta(row["usual_cost"])),
            fine.spelled(fine.units(_quanta(row["moved"])), signed=True),
            terminal_cell(row["trace_id"]),
        ]
        for row in rows
    ]  # fmt: skip
    yield from text_table(head, cells, right=head[3:10]).splitlines()


def _quanta(amount: Any) -> int:
    from attribution_pipeline.model.money import to_quanta

    return to_quanta(amount)[0]
