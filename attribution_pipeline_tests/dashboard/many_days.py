"""A lake of many days for measuring: some that were computed, and copies of them on other days.

Belongs here: making it. Does not: measuring (``run``).

A copy has the bytes of the day that it is of, under its own charge day and manifest, so every file is
hashed, opened and summed as a computed one is. What a copy says is true of nothing: numbers of operations
and spans stand on the computed day alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline_tests.orchestration.deployments import COPIED

DAY = timedelta(days=1)
SEED = 11

METRIC = "effective_cost"

Told = Callable[[str], None]


def many_days(folder: Path, days: int, computed: int, spans_a_day: int, told: Told) -> Path:
    """``days`` recorded days, the last ``computed`` of them computed; the deployment file. What stands
    already is kept."""
    from attribution_pipeline.simulator import write_company
    from attribution_pipeline.sources.landing import land
    from attribution_pipeline.views.daily import keep_day

    file = folder / "attribution.yaml"
    if not file.exists():
        told(f"writing {computed} days of {spans_a_day:,} spans")
        write_company(folder, days=computed, spans_per_day=spans_a_day, seed=SEED, business=True)
    house = House(load_deployment(file))
    first = house.deployment.first_day
    real = [first + DAY * n for n in range(computed)]
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    compute = Compute(house.deployment.compute.threads, house.deployment.compute.memory_limit)
    for day in real:
        if house.lake.head(day) is None:
            told(f"computing {day}")
            record_day(house, day, run_id="measured")
    for number in range(days - computed):
        day = first - DAY * (number + 1)
        if house.lake.head(day) is None:
            told(f"copying to {day}")
            _copy(house, real[number % computed], day, folder / "copies")
    told("summing")
    for day in real:  # after the copies: what an outcome hangs on are the days around it
        keep_day(house.lake, house.landed, day, compute)
    sums = {day: _Sums(house, day) for day in real}
    for number in range(days - computed):
        sums[real[number % computed]].copy(first - DAY * (number + 1))
    return file


def _copy(house: House, real: date, day: date, scratch: Path) -> None:
    said = house.lake.manifest(real)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    files: dict[str, list[Any]] = {}
    for table, entries in said["files"].items():
        files[table] = []
        for number, entry in enumerate(entries):
            copied = scratch / f"{table}-{number}.parquet"
            shutil.copyfile(house.lake.verified(house.lake.stored(entry)), copied)
            files[table].append(copied)
    made = {key: said[key] for key in COPIED}
    house.lake.commit_day(
        day, files, {**made, "recorded_at": said["recorded_at"], "previous": None}
    )
    shutil.rmtree(scratch)


class _Sums:
    """The roll-ups of a computed day, to be copied."""

    def __init__(self, house: House, real: date) -> None:
        from attribution_pipeline.orchestration.completeness import of_days
        from attribution_pipeline.views.daily import TABLES, rows_of_day

        self._house = house
        self._rows = {
            table: rows_of_day(house.lake, table, real, landed=house.landed) for table in TABLES
        }
        self._totals = _totals(house, real)
        of_days(house, [real], METRIC)
        self._completeness = house.lake.store.read(_completeness_of(house, real))

    def copy(self, day: date) -> None:
        """To a day that has a copy of the ledger."""
        import pyarrow as pa

        from attribution_pipeline.views.daily import LEDGER_TABLES, rollups_of
        from attribution_pipeline.views.daily import basis as bases

        lake = self._house.lake
        state = lake.head(day)
        assert state is not None
        rollups = rollups_of(lake)
        for table, rows in self._rows.items():
            of_ledger = table in LEDGER_TABLES
            basis = (
                bases.of_ledger(table, state)
                if of_ledger
                else bases.of_outcomes(table, lake, self._house.landed, day)
            )
            if rollups.stands(table, day, basis):
                continue
            at = rows.schema.get_field_index("manifest_id")
            ids = pa.array([state.manifest_id] * rows.num_rows, pa.string())
            copied = rows.set_column(at, rows.schema.field(at), ids)
            rollups.keep(table, day, basis, copied, self._totals if of_ledger else {})
        lake.store.replace(_completeness_of(self._house, day), self._completeness)


def _completeness_of(house: House, day: date) -> str:
    state = house.lake.head(day)
    assert state is not None
    return f"completeness/{state.manifest_id}-{METRIC}.json"


def _totals(house: House, real: date) -> Any:
    from attribution_pipeline.views.daily import rollups_of
    from attribution_pipeline.views.daily.basis import of_ledger

    state = house.lake.head(real)
    assert state is not None
    kept = rollups_of(house.lake).find("spend_daily", real, of_ledger("spend_daily", state))
    assert kept is not None
    return kept.totals
