"""A small company with outcomes, recorded with its roll-ups, and what tests do to them."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline_tests.dashboard.companies import RECORDED
from attribution_pipeline_tests.proof.conftest import history, recorded_history  # noqa: F401

COMPANY_DAYS = 2
SPANS_A_DAY = 500


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two days of a simulated company, recorded: to read, never written to."""
    from attribution_pipeline.simulator import write_company
    from attribution_pipeline.sources.landing import land
    from attribution_pipeline.views.daily import keep_day

    folder = Path(tmp_path_factory.mktemp("company")) / "acme"
    write_company(folder, days=COMPANY_DAYS, spans_per_day=SPANS_A_DAY, business=True)
    seconds = count()
    house = House(
        load_deployment(folder / "attribution.yaml"),
        clock=lambda: RECORDED + timedelta(seconds=next(seconds)),
    )
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    for number in range(COMPANY_DAYS):  # as a run does: the next day's calls are not there yet
        day = house.deployment.first_day + timedelta(days=number)
        record_day(house, day, run_id="test")
        keep_day(house.lake, house.landed, day, house.compute(folder / "scratch"))
    return House(load_deployment(folder / "attribution.yaml"))
