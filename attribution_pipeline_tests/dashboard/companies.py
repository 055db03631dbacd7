"""Small recorded lakes: a made-up company, and the worked day with names that mean harm."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline_tests.proof.replays import History, worked_day

FIRST = date(2026, 10, 5)
DAYS = (FIRST, FIRST + timedelta(days=1))
SPANS_A_DAY, SEED = 900, 3

RECORDED = datetime(2026, 10, 8, 4, tzinfo=UTC)

HOSTILE = "=<img src=x onerror=alert(1)> [a](javascript:b) ツ\u202e&amp;"
"""Instead of the worked day's `tenant-a`: markup, a formula, a link, a right-to-left override."""


def company(folder: Path) -> Path:
    """Two recorded days with budgets and outcomes, and their roll-ups; the deployment file."""
    from attribution_pipeline.simulator import write_company
    from attribution_pipeline.sources.landing import land
    from attribution_pipeline.views.daily import keep_day

    write_company(folder, days=len(DAYS), spans_per_day=SPANS_A_DAY, seed=SEED, business=True)
    file = folder / "attribution.yaml"
    house = House(load_deployment(file), clock=lambda: RECORDED)
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    for day in DAYS:
        record_day(house, day, run_id="test")
    scratch = folder / "scratch"
    for day in DAYS:
        keep_day(house.lake, house.landed, day, house.compute(scratch))
    return file


def hostile(folder: Path) -> History:
    """The worked day, one of its tenants called ``HOSTILE``; not recorded yet."""
    history = worked_day(folder)
    for path in ("spans/traces.jsonl", "opencost/allocation.json", "usage/usage.csv"):
        place = history.folder / path
        name = HOSTILE if path.endswith(".csv") else json.dumps(HOSTILE)[1:-1]
        place.write_text(place.read_text().replace("tenant-a", name))
    return history
