"""What people ask of the ledger, on a month that was recorded twice, against a scan of what it reads.

Belongs here: the questions as the views answer them, the recorded month. Does not: views
(``attribution_pipeline.views``), what a command prints.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import backfill
from child import Program
from generate import house_of

BY = ("tenant_id", "component", "model")

Answer = Callable[[Any, datetime], int]
"""From the opened deployment and an instant at which each day stood in its first state, to how many
rows or lines the answer has."""


@dataclass(frozen=True)
class Question:
    """One view, and what it has to read: table and columns, all where none are named."""

    answer: Answer
    table: str
    columns: tuple[str, ...] = ()


def prepare(folder: str, days: str, spans_per_day: str) -> dict[str, Any]:
    """A month, recorded under version 1 and again under version 2."""
    backfill.prepare(folder, days, spans_per_day)
    house = house_of(Path(folder))
    before = max(state.published_at for state in house.lake.states())
    backfill.publish(folder, "2")
    backfill.record_all(house_of(Path(folder)), int(days))
    (Path(folder) / "before.txt").write_text(before.isoformat(), encoding="utf-8")
    return {"ledger_rows": _whole(house_of(Path(folder)), before)}


def _whole(house: Any, before: datetime) -> int:
    """Every row on a terminal, as `attribution ledger`."""
    from attribution_pipeline.views import ledger

    days = house.lake.days()
    rows = ledger.in_order(house.lake.read("ledger", days[0], days[-1]))
    return max(rows.num_rows, sum(1 for _ in ledger.table_lines(rows)))


def _summed(house: Any, before: datetime) -> int:
    """Sums, as `attribution ledger --by tenant_id,component,model`."""
    return _by(house, None)


def _as_of(house: Any, before: datetime) -> int:
    """The same sums as the days stood before the policy changed."""
    return _by(house, before)


def _by(house: Any, as_of: datetime | None) -> int:
    from attribution_pipeline.views import ledger

    days = house.lake.days(as_of)
    columns = [*BY, ledger.CURRENCY, *ledger.COSTS]
    rows = house.lake.read("ledger", days[0], days[-1], columns, as_of=as_of)
    found = ledger.summed(rows, BY)
    return max(found.num_rows, sum(1 for _ in ledger.table_lines(found)))


def _revisions(house: Any, before: datetime) -> int:
    """Every change of a row, as `attribution ledger --revisions`."""
    from attribution_pipeline.views import revisions

    days = house.lake.days()
    rows = house.lake.read("ledger_revisions", days[0], days[-1])
    rows = revisions.in_order(rows, "ledger_revisions")
    list(revisions.table_lines(rows, "ledger_revisions"))
    return int(rows.num_rows)


def _completeness(house: Any, before: datetime) -> int:
    """Coverage and null rates by route of all days, from request level up."""
    from attribution_pipeline.orchestration.completeness import of_days
    from attribution_pipeline.views import completeness

    found = of_days(house, house.lake.days(), "effective_cost")
    return len(completeness.markdown(found).splitlines())


def _tie_out(house: Any, before: datetime) -> int:
    """The bill tied out over all days, from the manifests."""
    from attribution_pipeline.views import tie_out

    rows = [
        row for day in house.lake.days() for row in house.lake.manifest(day)["output"]["tie_out"]
    ]
    return len(tie_out.lines(rows))


COSTS = ("billed_cost", "effective_cost", "billing_currency")

QUESTIONS = {
    "whole": Question(_whole, "ledger"),
    "by": Question(_summed, "ledger", (*BY, *COSTS)),
    "as_of": Question(_as_of, "ledger", (*BY, *COSTS)),
    "revisions": Question(_revisions, "ledger_revisions"),
    "completeness": Question(_completeness, "operation_costs"),
    "tie_out": Question(_tie_out, "ledger", ("component", *COSTS)),
}


def ours(folder: str, question: str) -> Program:
    """A question answered, from opening the deployment on."""
    import pandas  # noqa: F401 - Arrow imports it at its first array
    import pyarrow.parquet  # noqa: F401

    import attribution_pipeline.orchestration.completeness
    import attribution_pipeline.views.ledger  # noqa: F401

    asked = QUESTIONS[question]
    # sums that an earlier answer kept
    shutil.rmtree(Path(folder) / "lake" / "completeness", ignore_errors=True)
    before = datetime.fromisoformat((Path(folder) / "before.txt").read_text(encoding="utf-8"))
    return lambda: {"lines": asked.answer(house_of(Path(folder)), before)}


def scan(folder: str, question: str) -> Program:
    """The columns that the question reads, decoded by DuckDB from the files that stand."""
    import duckdb
    import scan as floors

    asked, house = QUESTIONS[question], house_of(Path(folder))
    days = house.lake.days()
    found = house.lake.file_paths(asked.table, days[0], days[-1], check=False)
    query = floors.scan_query([path for _, path in found], asked.columns)
    threads = house.deployment.compute.threads

    def run() -> dict[str, Any]:
        with duckdb.connect(config={"threads": threads}) as connection:
            return {"rows": connection.execute(query).fetchall()[0][0]}

    return run
