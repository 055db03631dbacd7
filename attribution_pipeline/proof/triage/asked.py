"""What a triage is asked of: recorded days, their month to date, landed evidence, a replay.

Belongs here: these values, and landed tables as relations. Does not: any judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.lake.landed.records import EVERY_OBJECT_STANDS
from attribution_pipeline.proof.passes import sql
from attribution_pipeline.proof.relations import RecordedDay, open_days, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.lake.landed.records import LandedFile
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.proof.replay import DayReplay

AROUND = timedelta(days=1)
"""Twins and retries are looked for 24 h to both sides, as the operation plane does."""


@dataclass(frozen=True)
class Asked:
    """``days``: recorded days that P2 samples. ``month``: those of the month to date, for P3.
    ``policy``: the one that the newest of them was recorded under."""

    lake: Lake
    landed: LandedView
    days: Sequence[RecordedDay]
    month: Sequence[RecordedDay]
    policy: Policy
    policies: Mapping[date, Policy]
    """Of each day of the month, as it was recorded."""
    replay: Callable[[RecordedDay], DayReplay]
    compute_in: Callable[[Path], Compute]
    scratch: Path
    command: str
    """The command that asks all of this again."""

    @property
    def last(self) -> date:
        """The newest day."""
        return self.days[-1].day

    @contextmanager
    def session(self, days: Sequence[RecordedDay], *relations: str) -> Iterator[Session]:
        """A database with the relations of recorded days."""
        from attribution_pipeline.attribution.engine import session

        with session(self.compute_in(self.scratch)) as db:
            open_days(db, self.lake, days, relations)
            yield db

    def open_landed(
        self, db: Session, table: str, columns: Mapping[str, str], *, days: bool
    ) -> None:
        """A view of a landed table: the rows of objects that stand, named columns alone, a column
        that an older landing lacks null. ``days``: those around ``days``; else every row."""
        window = (self.days[0].day - AROUND, self.days[-1].day + AROUND) if days else (None, None)
        files = self.landed.files(table, *window)
        self.landed.verify(files)
        parts = [
            f"select source, object_id, {names} from read_parquet([{listed}], "
            "hive_partitioning = false)"
            for names, listed in _by_shape(self.landed, files, columns)
        ]
        if not parts:
            empty = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in columns.items())
            parts = [f"select '' as source, '' as object_id, {empty} where false"]
        whole = " union all by name ".join(parts)
        db.execute(
            f"create view {table} as select {', '.join(columns)} from ({whole}) "
            f"where {self._stands(table)}"
        )

    def _stands(self, table: str) -> str:
        if table in EVERY_OBJECT_STANDS:
            return "true"
        objects = ", ".join(
            f"({quoted(source)}, {quoted(one)})"
            for source, ids in self.landed.current_objects(table).items()
            for one in ids
        )
        return f"(source, object_id) in ({objects})" if objects else "false"


def _by_shape(
    landed: LandedView, files: Sequence[LandedFile], columns: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(columns to select, files) for files that have the same of the columns."""
    import pyarrow.parquet as pq

    shapes: dict[str, list[str]] = {}
    for path in landed.local(files):
        there = set(pq.read_schema(path).names)
        names = ", ".join(
            name if name in there else f"cast(null as {type_}) as {name}"
            for name, type_ in columns.items()
        )
        shapes.setdefault(names, []).append(quoted(path))
    return [(names, ", ".join(paths)) for names, paths in shapes.items()]


def read(name: str, **words: str) -> str:
    """The text of ``proof/triage/sql/<name>.sql``, ``{placeholders}`` filled."""
    text = sql(name, "triage")
    return text.format(**words) if words else text
