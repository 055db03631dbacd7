"""The change of spend between two periods, in parts that sum to it to the quantum.

Belongs here: cells, their parts, sums over tenants, workflows and routes. Does not: the formula
(``factors``), rows (``reading``), how it reads (``told``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Broken
from attribution_pipeline.model.money import to_decimal
from attribution_pipeline.views.explain.factors import (
    FACTORS,
    WORKLOAD,
    Quantities,
    parts_of_cell,
)
from attribution_pipeline.views.explain.periods import STANDING_LEDGER
from attribution_pipeline.views.explain.reading import (
    MACHINES,
    Cost,
    Route,
    Rows,
    Usage,
    Who,
)

if TYPE_CHECKING:
    import pyarrow as pa

BEFORE_FIRST_DAY = "before_first_day"
"""Charges of earlier days, booked on the ledger's first one (``model.ledger.EARLIER``): they come and go
with that day, whatever anybody spends."""

BESIDE = (
    WORKLOAD, "shared", "idle", "overhead", "other_direct", "correction", "credit", "unallocated",
    BEFORE_FIRST_DAY,
)  # fmt: skip
"""Parts that tokens do not explain: what they cost now, less what they did; of ``workload`` what a call
costs more or less on our own machines."""

LATE_DATA, POLICY_CHANGE, ENGINE_CHANGE = "late_data", "policy_change", "engine_change"
LATER = (LATE_DATA, POLICY_CHANGE, ENGINE_CHANGE)
"""Parts that were recorded after the states that are compared."""

PART_OF_CAUSE = {"policy_change": POLICY_CHANGE, "kernel": ENGINE_CHANGE}
"""Cause of a revision -> its part; every other cause is late data."""

PARTS = (*FACTORS, *BESIDE, *LATER)

GROUPS = {
    "tenant": ("tenant_id",),
    "workflow": ("workflow_id",),
    "model": ("provider", "model"),
}
"""What sums may be by, and their columns."""


@dataclass(frozen=True)
class Key:
    """The finest grain: a tenant's workflow on a model route, in one currency."""

    who: Who
    route: Route
    currency: str | None

    def value(self, column: str) -> str | None:
        """One of the columns of ``GROUPS``."""
        return {
            "tenant_id": self.who.tenant, "workflow_id": self.who.workflow,
            "provider": self.route.provider, "model": self.route.model,
        }[column]  # fmt: skip


@dataclass
class Sums:
    """Quanta: what a group cost in both periods, and its parts, which sum to the change."""

    against: int
    now: int
    parts: dict[str, int]

    @property
    def change(self) -> int:
        return self.now - self.against

    @staticmethod
    def none() -> Sums:
        return Sums(0, 0, dict.fromkeys(PARTS, 0))

    def add(self, other: Sums) -> None:
        """Group into group: integers, so nothing is lost."""
        self.against += other.against
        self.now += other.now
        for part, quanta in other.parts.items():
            self.parts[part] += quanta


@dataclass(frozen=True)
class Explanation:
    """The change of one tenant, or of all. ``cells``: both periods' quantities of metered cost.
    ``beside``: part -> quanta in both periods; ``causes``: cause -> quanta, by currency."""

    sums: Mapping[Key, Sums]
    cells: Mapping[Key, tuple[Quantities, Quantities]]
    usual: Mapping[tuple[Who, str | None], int]
    beside: Mapping[tuple[str | None, str], tuple[int, int]]
    causes: Mapping[str | None, Mapping[str, int]]
    unmetered: tuple[int, int]

    @property
    def currencies(self) -> list[str | None]:
        """In order, the unknown last."""
        found = {key.currency for key in self.sums}
        return sorted(found, key=lambda currency: (currency is None, currency or ""))

    def total(self, currency: str | None) -> Sums:
        """Everything in one currency: currencies are never mixed."""
        found = Sums.none()
        for key, sums in self.sums.items():
            if key.currency == currency:
                found.add(sums)
        return found

    def by(self, columns: Sequence[str]) -> dict[tuple[str | None, ...], Sums]:
        """(values of ``columns``, currency) -> sums; per currency the largest change first."""
        found: dict[tuple[str | None, ...], Sums] = defaultdict(Sums.none)
        for key, sums in self.sums.items():
            found[(*(key.value(column) for column in columns), key.currency)].add(sums)
        return dict(
            sorted(
                found.items(),
                key=lambda entry: (
                    entry[0][-1] or "\U0010ffff",
                    -abs(entry[1].change),
                    [value or "\U0010ffff" for value in entry[0]],
                ),
            )
        )

    def table(self, columns: Sequence[str], metric: str) -> pa.Table:
        """Grain: one group and currency. Every amount exact; ``change`` is the sum of the parts."""
        import pyarrow as pa

        money, text = pa.decimal128(38, 12), pa.string()
        names = ("against_cost", "cost", "change", *PARTS)
        schema = pa.schema(
            [
                *(pa.field(name, text) for name in (*columns, "billing_currency", "metric")),
                *(pa.field(name, money) for name in names),
            ]
        )
        rows = [
            {
                **dict(zip((*columns, "billing_currency"), group, strict=True)),
                "metric": metric,
                **{
                    name: to_decimal(quanta)
                    for name, quanta in zip(
                        names,
                        (sums.against, sums.now, sums.change, *(sums.parts[p] for p in PARTS)),
                        strict=True,
                    )
                },
            }
            for group, sums in self.by(columns).items()
        ]
        return pa.Table.from_pylist(rows, schema=schema)


def explain(rows: Rows) -> Explanation:
    """The change between the two periods of ``rows``.

    Raises Broken where the parts do not come to the ledger's own sums: never shown otherwise.
    """
    usage, costs = rows.usage(), rows.costs()
    cells = _cells(usage, costs)
    providers = _providers(usage)
    found: dict[Key, Sums] = defaultdict(Sums.none)
    for key, (against, now) in cells.items():
        sums = found[key]
        sums.against, sums.now = against.cost, now.cost
        sums.parts.update(parts_of_cell(against, now))
    beside: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0, 0])
    for cost in rows.beside():
        _put(found[_key(cost, providers)], cost, cost.word)
        beside[cost.currency, cost.word][cost.period] += cost.quanta
    causes: dict[str | None, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cost in rows.later():
        _put(found[_key(cost, providers)], cost, PART_OF_CAUSE.get(cost.word, LATE_DATA))
        causes[cost.currency][cost.word] += cost.quanta if cost.period else -cost.quanta
    unmetered = rows.unmetered()
    explanation = Explanation(
        sums=dict(found),
        cells=cells,
        usual=_usual(cells),
        beside={key: (before, after) for key, (before, after) in beside.items()},
        causes=causes,
        unmetered=(unmetered.get(0, 0), unmetered.get(1, 0)),
    )
    _require_whole(explanation, rows)
    return explanation


def _put(sums: Sums, cost: Cost, part: str) -> None:
    if cost.period:
        sums.now += cost.quanta
        sums.parts[part] += cost.quanta
    else:
        sums.against += cost.quanta
        sums.parts[part] -= cost.quanta


def _key(cost: Cost, providers: Mapping[str, str]) -> Key:
    """With the provider of its model, where the tenant's calls know one and no other."""
    provider = providers.get(cost.route.model) if cost.route.model is not None else None
    return Key(cost.who, Route(provider, cost.route.model), cost.currency)


def _providers(usage: Iterable[Usage]) -> dict[str, str]:
    known: dict[str, set[str]] = defaultdict(set)
    for used in usage:
        if used.route.model is not None and used.route.provider is not None:
            known[used.route.model].add(used.route.provider)
    return {model: min(names) for model, names in known.items() if len(names) == 1}


def _cells(
    usage: Sequence[Usage], costs: Sequence[Cost]
) -> dict[Key, tuple[Quantities, Quantities]]:
    """Both periods of every cell: routes that a workflow uses, in every currency it is billed in."""
    requests, used = _used(usage)
    money: dict[tuple[int, Key], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    currencies: dict[Who, set[str | None]] = defaultdict(set)
    routes: dict[Who, set[Route]] = defaultdict(set)
    for one in usage:
        routes[one.who].add(one.route)
    for cost in costs:
        money[cost.period, Key(cost.who, cost.route, cost.currency)][cost.word] += cost.quanta
        currencies[cost.who].add(cost.currency)
        routes[cost.who].add(cost.route)

    def in_period(period: int, key: Key) -> Quantities:
        there = used.get((period, key.who, key.route))
        if there is None:
            there = Quantities(requests=requests.get((period, key.who), 0))
        costs = dict(money.get((period, key), {}))
        machines = costs.pop(MACHINES, 0)
        return replace(there, costs=costs, machines=machines)

    keys = (
        Key(who, route, currency)
        for who in routes
        for route in routes[who]
        for currency in currencies[who]
    )
    return {key: (in_period(0, key), in_period(1, key)) for key in keys}


def _used(
    usage: Sequence[Usage],
) -> tuple[dict[tuple[int, Who], int], dict[tuple[int, Who, Route], Quantities]]:
    """Requests of tenant and workflow, and what each route saw of them. Where no first attempt was
    seen at all, every call counts as a request."""
    firsts: dict[tuple[int, Who], int] = defaultdict(int)
    attempts: dict[tuple[int, Who], int] = defaultdict(int)
    for one in usage:
        firsts[one.period, one.who] += one.firsts
        attempts[one.period, one.who] += one.attempts
    requests = {key: firsts[key] or attempts[key] for key in attempts}
    return requests, {
        (one.period, one.who, one.route): Quantities(
            requests=requests[one.period, one.who],
            firsts=one.firsts if firsts[one.period, one.who] else one.attempts,
            attempts=one.attempts,
            tokens=one.tokens,
        )
        for one in usage
    }


def _usual(
    cells: Mapping[Key, tuple[Quantities, Quantities]],
) -> dict[tuple[Who, str | None], int]:
    """Quanta of a call in the against-period, on average over those of its workflow that cost
    anything in the currency, rounded half-even."""
    cost: dict[tuple[Who, str | None], int] = defaultdict(int)
    calls: dict[tuple[Who, str | None], int] = defaultdict(int)
    for key, (against, _) in cells.items():
        if against.cost:
            cost[key.who, key.currency] += against.cost
            calls[key.who, key.currency] += against.attempts
    return {key: round(Fraction(cost[key], calls[key])) for key in cost if calls[key]}


def _require_whole(found: Explanation, rows: Rows) -> None:
    """Parts sum to the change, and both ends to the ledger's own sums, in every currency."""
    ledger = rows.totals(STANDING_LEDGER)
    for currency in {*found.currencies, *(currency for _, currency in ledger)}:
        total = found.total(currency)
        ends = [ledger.get((period, currency), 0) for period in (0, 1)]
        if [total.against, total.now] != ends or sum(total.parts.values()) != ends[1] - ends[0]:
            raise Broken(
                f"parts of {currency} come to {total.against}, {total.now} and "
                f"{sum(total.parts.values())} quanta, the ledger to {ends[0]} and {ends[1]}"
            )
