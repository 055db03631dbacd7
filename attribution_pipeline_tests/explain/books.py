"""Small recorded days to explain: the engine's own rows in a lake of their own.

Belongs here: recording states, asking for an explanation. Does not: what it must say.
"""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.lake import Lake
from attribution_pipeline.views.explain import Explanation, explain, opened, read_period
from attribution_pipeline.views.explain.periods import SETTLED, Period, Since
from attribution_pipeline.views.explain.told import lines
from attribution_pipeline_tests.attribution.days import Day
from attribution_pipeline_tests.lake.days import manifest

COMPUTE = Compute(threads=1, memory_limit="1GB")
BEFORE, AFTER = date(2026, 10, 5), date(2026, 10, 6)
"""The against-period and this one, a day each. Evidence is always written for the first: a day's
files carry no date, so its rows may stand on another."""
NIGHT = datetime(2026, 10, 7, 3, tzinfo=UTC)


class Books:
    """A lake at a time of its own."""

    def __init__(self, storage: Path) -> None:
        self.now = NIGHT
        self.lake = Lake(storage, clock=lambda: self.now)

    def record(self, day: date, found: Day, at: datetime = NIGHT, *, settled: bool = False) -> None:
        """The day's next state, with the revisions of all of them."""
        self.now = at
        with self.lake.staging(day) as folder:
            # placing a file moves it, and a computed day is recorded more than once
            files: dict[str, list[Any]] = {
                table: [
                    Path(shutil.copy(path, folder / f"{table}-{number}.parquet"))
                    for number, path in enumerate(paths)
                ]
                for table, paths in found.outcome.files.items()
            }
            self._commit(day, found, files, at, settled=settled)

    def _commit(
        self, day: date, found: Day, files: dict[str, list[Any]], at: datetime, *, settled: bool
    ) -> None:
        head = self.lake.head(day)
        if head is not None:
            earlier = self.lake.document(head)["files"].get("ledger_revisions", [])
            files["ledger_revisions"] = [
                *map(self.lake.stored, earlier), *files.get("ledger_revisions", []),
            ]  # fmt: skip
        said = manifest(
            found.outcome.content_digest, at, settled=settled,
            policy={"policy": "test", "version": found.ledger[0]["policy_version"],
                    "digest": found.ledger[0]["policy_digest"]},
            output={"content_digest": found.outcome.content_digest, "rows": {}, "totals": [],
                    "coverage": found.outcome.coverage.to_pylist()},
        )  # fmt: skip
        self.lake.commit_day(day, files, said)

    def period(
        self, day: date, *, as_of: datetime | None = None, since: Since = SETTLED
    ) -> Period:  # fmt: skip
        """One day as a period."""
        return read_period(self.lake, day, day, as_of=as_of, since=since)

    def explained(
        self, tenant: str | None = "a", *, metric: str = "billed_cost",
        as_of: datetime | None = None, since: Since = SETTLED,
    ) -> Explanation:  # fmt: skip
        """``AFTER`` against ``BEFORE``."""
        periods = [self.period(day, as_of=as_of, since=since) for day in (BEFORE, AFTER)]
        return asked(*periods, tenant, metric)


def asked(
    against: Period, now: Period, tenant: str | None, metric: str = "billed_cost"
) -> Explanation:
    """The change between two periods."""
    with opened(against, now, tenant, metric, COMPUTE) as rows:
        return explain(rows)


def requests(
    against: Period, now: Period, tenant: str | None, top: int, metric: str = "billed_cost"
) -> pa.Table:
    """Its requests."""
    with opened(against, now, tenant, metric, COMPUTE) as rows:
        return rows.requests(explain(rows).usual, top)


def told(found: Explanation, against: Period, now: Period, *by: str) -> list[str]:
    """The answer as a person reads it, of everybody."""
    groups = by or ("tenant",)
    return list(
        lines(found, against, now, tenant=None, metric="billed_cost", by=groups, requests=None)
    )


def parts(found: Explanation, currency: str = "USD") -> dict[str, str]:
    """Parts that are not zero, in whole units as far as they are."""
    units = 10**12
    return {
        part: f"{quanta // units}" if quanta % units == 0 else f"{quanta}q"
        for part, quanta in found.total(currency).parts.items()
        if quanta
    }


def as_period(day: date, files: dict[str, Any]) -> Period:
    """A day's computed files that no lake has."""
    return Period(day, day, {**files, "standing_ledger": files["ledger"]})
