"""Days that cannot be made: one clear line, and nothing published."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake import Lake
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration import recording
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline_tests.orchestration.deployments import DAY, record_otherwise, rewrite


def test_a_day_before_the_first_is_refused_with_its_line(deployment_file: Path) -> None:
    with pytest.raises(Refusal, match=r"attribution.yaml:\d+: 2026-10-04 is before the deployment"):
        run_days(load_deployment(deployment_file), DAY - timedelta(days=1), DAY)


def test_a_day_that_is_not_over_is_refused(deployment_file: Path) -> None:
    today = datetime.now(UTC).date()
    with pytest.raises(Refusal, match=f"{today} is not over yet"):
        run_days(load_deployment(deployment_file), DAY, today)


def test_a_range_that_ends_before_it_begins_is_refused(deployment_file: Path) -> None:
    with pytest.raises(Refusal, match="the range ends on 2026-10-05, before it begins"):
        run_days(load_deployment(deployment_file), date(2026, 10, 6), DAY)


def test_a_missing_source_is_refused_and_nothing_is_written(deployment_file: Path) -> None:
    deployment = load_deployment(deployment_file)
    rewrite(deployment_file, "./billing", "./bills")
    with pytest.raises(Refusal, match=r"source `bill`: there is no .*/bills; create the folder"):
        run_days(load_deployment(deployment_file), DAY, DAY)
    assert not deployment.storage_folder.exists()


def test_a_unit_that_the_policy_does_not_know_is_refused_by_name(deployment_file: Path) -> None:
    deployment = load_deployment(deployment_file)
    policy = deployment.policies_folder / "policy-1.yaml"
    policy.write_text(policy.read_text().replace("1000 Tokens: 1000", "Images: 1"))
    with pytest.raises(Refusal, match="1000 Tokens"):
        run_days(deployment, DAY, DAY)
    assert Lake(deployment.storage_folder).days() == []


def test_a_changed_policy_under_a_used_version_is_refused_by_name(house: House) -> None:
    policy = house.deployment.policies_folder / "policy-1.yaml"
    rewrite(policy, "driver: usage.query_units", "driver: even")
    with pytest.raises(Refusal) as refused:
        run_days(house.deployment, DAY, DAY)
    line = refused.value.line()
    assert "policy-1.yaml:2: version 1 of policy worked-day was changed after 2026-10-05" in line
    assert "copy your edit to policy-2.yaml with `version: 2`" in line


def test_a_comment_in_a_policy_is_no_change(house: House) -> None:
    policy = house.deployment.policies_folder / "policy-1.yaml"
    policy.write_text("# reviewed\n" + policy.read_text())
    assert [day.status for day in run_days(house.deployment, DAY, DAY).days] == ["unchanged"]


def test_changed_landed_evidence_is_refused_by_name(house: House) -> None:
    (path,) = (house.deployment.storage_folder / "landed" / "usage").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    for kept in (house.deployment.storage_folder / "evidence" / "usage").rglob("newest.json"):
        kept.unlink()
    with pytest.raises(Refusal, match=f"{path.name}: a file of landed evidence is missing or was"):
        run_days(house.deployment, DAY, DAY)


def test_a_day_that_fails_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    record = recording.record_day

    def fail_on_the_second(house: House, day: date, **how: Any) -> Any:
        if day == date(2026, 10, 6):
            raise RuntimeError("disk on fire")
        return record(house, day, **how)

    monkeypatch.setattr(recording, "record_day", fail_on_the_second)
    report = run_days(house.deployment, DAY, date(2026, 10, 6))
    assert [outcome.status for outcome in report.days] == ["unchanged", "failed"]
    assert report.failures == ["2026-10-06: RuntimeError: disk on fire"]
    assert "fail_on_the_second" in report.days[1].trace


def test_a_defect_in_landing_is_no_refusal(
    deployment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("in a reader")

    monkeypatch.setattr("attribution_pipeline.sources.landing.land", fail)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: in a reader"):
        run_days(load_deployment(deployment_file), DAY, DAY)


def test_a_race_for_a_day_is_run_again_by_itself(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run records the day while this one computes: the second try sees that state."""
    commit = Lake.commit_day
    rivals = []

    def commit_after_a_rival(self: Lake, day: date, *arguments: Any) -> Any:
        if not rivals:
            rivals.append(day)
            record_otherwise(House(house.deployment))
        return commit(self, day, *arguments)

    monkeypatch.setattr(Lake, "commit_day", commit_after_a_rival)
    rewrite(house.deployment.storage_folder.parent / "usage" / "usage.csv", "query_units,30",
            "query_units,31")  # fmt: skip
    report = run_days(house.deployment, DAY, DAY)
    assert [outcome.status for outcome in report.days] == ["recorded"]
    assert [state.state for state in House(house.deployment).lake.states()] == [1, 2, 3]
