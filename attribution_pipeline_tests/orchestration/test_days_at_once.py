"""Days of one range in processes beside each other: the books of days one after another."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake.crash import VARIABLE
from attribution_pipeline.orchestration.days_at_once import ENDED, beside_each_other, started
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline_tests.orchestration.deployments import DAY

pytestmark = pytest.mark.heavy

LAST = DAY + timedelta(days=2)


def contents(file: Path) -> dict[str, str]:
    """Day -> content digest of its newest state."""
    lake = House(load_deployment(file)).lake
    return {str(day): lake.manifest(day)["output"]["content_digest"] for day in lake.days()}


def test_days_beside_each_other_have_the_content_of_days_one_by_one(
    deployment_file: Path,
    three_days_once: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    told: list[str] = []
    deployment = load_deployment(deployment_file)

    # every process is killed at its first day: those in work are tried again, each alone, and fail
    monkeypatch.setenv(VARIABLE, "recording.reconciled:1")
    report = run_days(deployment, DAY, LAST, days_at_once=2)
    assert [(o.status, o.error) for o in report.days] == [("failed", ENDED)] * 3
    assert contents(deployment_file) == {}
    monkeypatch.delenv(VARIABLE)

    report = run_days(deployment, DAY, LAST, told.append, days_at_once=2)

    assert report.failures == []
    assert [outcome.day for outcome in report.days] == [DAY, DAY + timedelta(days=1), LAST]
    assert [line[:10] for line in told if line[:2] == "20"] == [str(o.day) for o in report.days]
    assert contents(deployment_file) == contents(three_days_once / "attribution.yaml")

    # processes that are ended before they have a day are started again
    processes = started(2)
    for process in multiprocessing.active_children():
        process.kill()
    again = list(beside_each_other(processes, deployment_file, [DAY, LAST], False, 2))
    assert [outcome.status for outcome in again] == ["unchanged"] * 2
    assert capfd.readouterr().err == "", "a process says nothing of its end"
