"""What a score is asked of: days, the policy that they are held against, the work that must be redone.

Belongs here: the days, opened once as relations, the route slices, and the two computations that a
score needs from outside. Does not: any judgement, opening a deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.proof.completeness import Completeness, records_query
from attribution_pipeline.proof.passes import sql
from attribution_pipeline.proof.relations import RecordedDay, open_days
from attribution_pipeline.proof.routes import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution_pipeline.attribution.day import Compute, Outcome
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.model.policy import Policy

Derive = Callable[["Published", Path], "Outcome"]
"""A recorded state again, from the objects that had landed when it was computed, into an empty
folder. Raises Refusal where a landed file is not what it was, or the engine stops."""


@dataclass(frozen=True)
class Asked:
    """``days``: recorded days that C2 to C6 are of. ``settled``: the last settled ones, for C1.
    ``policy``: the one that the newest of the days was recorded under."""

    lake: Lake
    landed: LandedView
    days: Sequence[RecordedDay]
    settled: Sequence[RecordedDay]
    policy: Policy
    disclose: Callable[[], Completeness]
    """Completeness of ``days``; read once."""
    derive: Derive
    compute_in: Callable[[Path], Compute]
    scratch: Path
    command: str
    """The command that asks all of this again."""

    @property
    def metric(self) -> str:
        """What shares are of: the policy's ``settlement.metric``."""
        return self.policy.settlement.metric

    @cached_property
    def disclosed(self) -> Completeness:
        """What is known of the days of C2 to C6. Raises Refusal naming a file that was changed."""
        return self.disclose()

    @cached_property
    def routes(self) -> list[Route]:
        """The slices by which requests are billed, over the days of C2 to C6."""
        return [found.route for found in self.disclosed.routes]

    @contextmanager
    def session(self, days: Sequence[RecordedDay], *relations: str) -> Iterator[Session]:
        """A database with the relations of these days."""
        from attribution_pipeline.attribution.engine import session

        with session(self.compute_in(self.scratch)) as db:
            open_days(db, self.lake, days, relations)
            yield db

    @contextmanager
    def records(self) -> Iterator[Session]:
        """A database with ``records`` (``sql/completeness/records.sql``) of the days."""
        with self.session(self.days, "ledger", "operation_costs", "operations") as db:
            db.execute(records_query(self.metric))
            yield db


def read(name: str, **words: str) -> str:
    """The text of ``proof/score/sql/<name>.sql``, ``{placeholders}`` filled."""
    text = sql(name, "score")
    return text.format(**words) if words else text


def of_route(rows: list[dict[str, Any]], route: Route) -> list[dict[str, Any]]:
    """Rows of one slice, without its columns, which the verdict names."""
    names = route.as_dict()
    return [
        {name: value for name, value in row.items() if name not in names}
        for row in rows
        if Route.of(row) == route
    ]
