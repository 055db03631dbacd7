"""A small company with outcomes, recorded through Dagster, and what tests do to its roll-ups."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.proof.conftest import history, recorded_history  # noqa: F401

COMPANY_DAYS = 2
SPANS_A_DAY = 500


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two days of a simulated company, recorded: to read, never written to."""
    from attribution_pipeline.orchestration.run import run_days
    from attribution_pipeline.simulator import write_company

    folder = Path(tmp_path_factory.mktemp("company")) / "acme"
    write_company(folder, days=COMPANY_DAYS, spans_per_day=SPANS_A_DAY, business=True)
    deployment = load_deployment(folder / "attribution.yaml")
    first: date = deployment.first_day
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        report = run_days(deployment, first, first + timedelta(days=COMPANY_DAYS - 1))
    assert report.failures == []
    return House(load_deployment(folder / "attribution.yaml"))
