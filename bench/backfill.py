"""A policy backfill: what Dagster, its checks and its bookkeeping add to the engine's own time.

Belongs here: the recorded company, the two ways to bring its days under a policy. Does not: a single
day's cost (``day``), rounds (``rounds``).

Every turn publishes a policy version that moves rows of every day, and brings all days under it:
headless through Dagster, as ``attribution run`` does, with every check, one day after another or as many at
once as the machine has cores; or by the engine alone
(``record_day``: evidence looked up, reconciled, committed). What is imported before the clock starts
is the same for both; what a process of ``attribution run`` imports has a work of its own (``start``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from child import Program
from generate import house_of, land_all, limit

FIRST_DAY = date(2026, 1, 1)
"""So that a year before it ends is a year that is over."""

DRIVERS = ("cost", "even")
"""What divides the clusters' control planes, version after version: every version moves the rows of the one before."""


def prepare(folder: str, days: str, spans_per_day: str) -> dict[str, Any]:
    """The company, landed, every day recorded under version 1."""
    from attribution_pipeline.simulator import write_company

    place = Path(folder)
    write_company(place, days=int(days), spans_per_day=int(spans_per_day), first_day=FIRST_DAY)
    limit(place)
    house = house_of(place)
    land_all(house)
    record_all(house, int(days))
    return {"days": int(days), "spans_per_day": int(spans_per_day)}


def record_all(house: Any, days: int) -> None:
    """Every day brought up to date by the engine."""
    from attribution_pipeline.orchestration.recording import record_day

    for number in range(days):
        record_day(house, FIRST_DAY + timedelta(days=number))


def publish(folder: str, version: str = "") -> dict[str, Any]:
    """A version that differs from the one before in the driver of one overhead pool; the next one."""
    policies = Path(folder) / "policies"
    number = int(version or 1 + len(list(policies.glob("policy-*.yaml"))))
    text = (policies / "policy-1.yaml").read_text(encoding="utf-8")
    head, rest = text.split("name: control-planes", 1)
    rest = rest.replace("driver: cost", f"driver: {DRIVERS[1 - number % 2]}", 1)
    changed = f"{head}name: control-planes{rest}".replace("version: 1", f"version: {number}", 1)
    (policies / f"policy-{number}.yaml").write_text(changed, encoding="utf-8")
    return {"version": number}


def dagster(folder: str, days: str) -> Program:
    """As ``attribution run`` brings days under the policy in force."""
    return _run(folder, int(days), 1)


def at_once(folder: str, days: str) -> Program:
    """The same with ``--days-at-once``, a process for each core. What they import is on the clock."""
    return _run(folder, int(days), os.cpu_count() or 1)


def _run(folder: str, days: int, days_at_once: int) -> Program:
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.run import run_days

    last = FIRST_DAY + timedelta(days=days - 1)

    def through() -> None:
        deployment = load_deployment(Path(folder) / "attribution.yaml")
        report = run_days(deployment, FIRST_DAY, last, days_at_once=days_at_once)
        if report.failures:
            raise SystemExit("\n".join(report.failures))

    return _timed(folder, days, through)


def engine(folder: str, days: str) -> Program:
    """Day by day, the engine and its commits alone."""
    return _timed(folder, int(days), lambda: record_all(house_of(Path(folder)), int(days)))


def _timed(folder: str, days: int, work: Callable[[], None]) -> Program:
    import dagster  # noqa: F401
    import duckdb  # noqa: F401
    import pandas  # noqa: F401

    import attribution_pipeline.orchestration.composition
    import attribution_pipeline.orchestration.recording  # noqa: F401

    def run() -> dict[str, Any]:
        work()
        return {"revised": lambda: _revised(folder, days)}

    return run


def _revised(folder: str, days: int) -> int:
    """Rows that the newest states moved. Raises SystemExit where a day was not moved."""
    lake = house_of(Path(folder)).lake
    moved = [
        sum(lake.manifest(FIRST_DAY + timedelta(days=number))["output"]["revised"].values())
        for number in range(days)
    ]
    if not all(moved):
        raise SystemExit("a day was not moved by its policy: nothing was measured")
    return sum(moved)
