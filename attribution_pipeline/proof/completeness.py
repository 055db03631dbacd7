"""Completeness, disclosed: what is known of who caused each cost, by route slice.

Belongs here: null rate and coverage of tenant, consumer, principal, workflow, model and usage, by
count, by cost and by tokens, of a day and of several; segmentation completeness and actor coverage,
which stand on the same sums. Does not: how they are shown (``views.completeness``), thresholds.

Grain: a *record* is what one operation has of a ledger row, or a row that no operation stands behind.
Open rows are records, so what nobody saw is in every denominator; by count such a row is one record,
however many calls it hides, so read the cost beside it. Charges from before the ledger's first day, booked
on it, are no records: no evidence of theirs could ever come. Tokens are those of meter rows, corrections
left out. Published beside a total, never folded into it.

Rule: design page 40, "Completeness, disclosed" and P3; FOCUS pull request 2360 asks for the same
disclosure of actors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import of_its_day
from attribution_pipeline.proof.passes import sql
from attribution_pipeline.proof.ratio import Ratio
from attribution_pipeline.proof.relations import (
    LEDGER,
    OPERATION_COSTS,
    OPERATIONS,
    RecordedDay,
    open_days,
)
from attribution_pipeline.proof.routes import Route

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.lake import Lake

FIELDS: Mapping[str, str] = {
    "tenant": "tenant_id is not null and leg <> 'spread'",
    "consumer": "consumer_id is not null and leg <> 'spread'",
    "principal": "principal_id is not null and leg <> 'spread'",
    "workflow": "workflow_id is not null and leg <> 'spread'",
    "model": "model is not null",
    "usage": "has_usage",
}
"""Field -> when a record has it. Usage: the call said its tokens, or the row its driver's quantity. A
gap that a policy spreads over those who were seen (leg ``spread``) is still a gap: nobody said so."""

CONDITIONS: Mapping[str, str] = {
    **FIELDS,
    "metered": "method = 'meter' or leg = 'spread'",
    "segmented": "method = 'meter' and tenant_id is not null and workflow_id is not null",
    "request": "component in ('direct', 'workload')",
    "actors": "component in ('direct', 'workload') and principal_id is not null "
    "and consumer_id is not null and principal_id <> consumer_id and leg <> 'spread'",
    "behind": "has_operation or method = 'meter'",
}
"""``metered``: of a meter slice, what P3 is of. ``request``: what can be pinned on a request at all;
idle, shared cost and overhead stop at the ledger. ``actors``: both there, and not one copied over
the other. ``behind``: tells a route by which requests are billed."""

MEASURES = ("records", "cost", "tokens")


@dataclass(frozen=True)
class Sums:
    """Records, their cost in the settlement metric, and their tokens."""

    records: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    tokens: Decimal = Decimal(0)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.records + other.records, self.cost + other.cost, self.tokens + other.tokens
        )

    def of(self, whole: Sums, measure: str) -> Ratio:
        """These as a part of ``whole``, by one of ``MEASURES``."""
        return Ratio(getattr(self, measure), getattr(whole, measure))


@dataclass(frozen=True)
class SliceCompleteness:
    """One route slice. ``having``: sums of what meets each of ``CONDITIONS``."""

    route: Route
    total: Sums
    having: Mapping[str, Sums] = field(default_factory=dict)

    def share(self, name: str, measure: str = "cost") -> Ratio:
        """What has the field, of the whole slice."""
        return self.having[name].of(self.total, measure)

    def segmentation(self, measure: str = "cost") -> Ratio:
        """Of what meters divide: what stands on a tenant and a workflow."""
        return self.having["segmented"].of(self.having["metered"], measure)

    def actors(self, measure: str = "cost") -> Ratio:
        """Of what can be pinned on a request: what names principal and consumer, apart."""
        return self.having["actors"].of(self.having["request"], measure)

    @property
    def is_metered(self) -> bool:
        """Whether a meter divides any of it."""
        return bool(self.having["metered"].records)

    @property
    def is_route(self) -> bool:
        """Whether requests are billed by it: a meter divides it, or operations stand behind it."""
        return bool(self.having["behind"].records)


@dataclass(frozen=True)
class Completeness:
    """Slices of some days, in order; ``days`` are those that are in it."""

    days: Sequence[date]
    metric: str
    slices: Sequence[SliceCompleteness]

    @property
    def totals(self) -> list[SliceCompleteness]:
        """All slices of a currency together: the ledger's own totals, but for charges of earlier days.
        Never a share over two."""
        merged: dict[str, SliceCompleteness] = {}
        for found in self.slices:
            everything = Route(found.route.currency, "all", None, "all")
            slice_ = SliceCompleteness(everything, found.total, found.having)
            merged[found.route.currency] = _added(merged.get(found.route.currency), slice_)
        return [merged[currency] for currency in sorted(merged)]

    @property
    def metered(self) -> list[SliceCompleteness]:
        """The slices that meters divide."""
        return [found for found in self.slices if found.is_metered]

    @property
    def routes(self) -> list[SliceCompleteness]:
        """The slices by which requests are billed."""
        return [found for found in self.slices if found.is_route]


def completeness_of(
    lake: Lake, recorded: Sequence[RecordedDay], metric: str, compute: Compute
) -> Completeness:
    """Of recorded days, from their files; each is hashed first. ``metric``: billed_cost or
    effective_cost. Raises Refusal naming a file that was changed."""
    from attribution_pipeline.attribution.engine import session

    with session(compute) as db:
        open_days(db, lake, recorded, (LEDGER, OPERATION_COSTS, OPERATIONS))
        db.execute(records_query(metric))
        rows = db.table(slices_query()).to_pylist()
    return added([[_slice(row) for row in rows]], [found.day for found in recorded], metric)


def records_query(metric: str) -> str:
    """The query that makes ``records`` of recorded days."""
    return sql("completeness/records").format(metric=metric, of_its_day=of_its_day("l"))


def slices_query() -> str:
    """The query that sums ``records`` by slice."""
    sums = ",\n       ".join(
        f"{_sum(measure, condition)} as {name}_{measure}"
        for name, condition in CONDITIONS.items()
        for measure in MEASURES
    )
    return sql("completeness/slices").format(sums=sums)


def _sum(measure: str, condition: str) -> str:
    value = "1" if measure == "records" else measure
    return f"sum(case when {condition} then {value} else 0 end)"


def _slice(row: Mapping[str, Any]) -> SliceCompleteness:
    def sums(prefix: str) -> Sums:
        return Sums(*(Decimal(row[f"{prefix}{measure}"] or 0) for measure in MEASURES))

    return SliceCompleteness(
        Route.of(row), sums(""), {name: sums(f"{name}_") for name in CONDITIONS}
    )


def added(
    parts: Iterable[Iterable[SliceCompleteness]], days: Iterable[date], metric: str
) -> Completeness:
    """Slices of several days, those of one route added up."""
    found: dict[Route, SliceCompleteness] = {}
    for part in parts:
        for slice_ in part:
            found[slice_.route] = _added(found.get(slice_.route), slice_)
    slices = sorted(found.values(), key=lambda one: one.route.order)
    return Completeness(sorted(days), metric, slices)


def _added(before: SliceCompleteness | None, more: SliceCompleteness) -> SliceCompleteness:
    if before is None:
        return more
    having = {name: before.having[name] + sums for name, sums in more.having.items()}
    return SliceCompleteness(more.route, before.total + more.total, having)


# -- at rest ---------------------------------------------------------------------------------------


def as_document(found: Completeness) -> dict[str, Any]:
    """A day's sums as JSON, amounts as text, to be kept beside the manifest that they are of."""
    return {
        "days": [day.isoformat() for day in found.days],
        "metric": found.metric,
        "slices": [
            {
                **one.route.as_dict(),
                "total": _texts(one.total),
                "having": {name: _texts(sums) for name, sums in one.having.items()},
            }
            for one in found.slices
        ],
    }


def from_document(said: Mapping[str, Any]) -> Completeness:
    """``as_document`` read back. Raises KeyError or ValueError where it is none of this version."""
    slices = [
        SliceCompleteness(
            Route.of(one),
            _sums(one["total"]),
            {name: _sums(one["having"][name]) for name in CONDITIONS},
        )
        for one in said["slices"]
    ]
    return Completeness([date.fromisoformat(day) for day in said["days"]], said["metric"], slices)


def _texts(sums: Sums) -> dict[str, str]:
    return {measure: f"{getattr(sums, measure):f}" for measure in MEASURES}


def _sums(said: Mapping[str, str]) -> Sums:
    return Sums(*(Decimal(said[measure]) for measure in MEASURES))
