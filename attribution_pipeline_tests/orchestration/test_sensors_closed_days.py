"""Closed days and what comes late for them: closes at once, policies by force alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from attribution_pipeline.orchestration.assets.ledger import FORCE
from attribution_pipeline.orchestration.checks.staleness import stale_partitions
from attribution_pipeline.orchestration.jobs import LATE_DAYS
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.staleness import stale_days
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.ticks import QUIET, Driven
from attribution_pipeline_tests.test_cli import run

LATE = "late_evidence"
FILE = "attribution.yaml"


def close(folder: Path) -> None:
    """October is closed, as a person does it."""
    file = folder / FILE
    file.write_text(file.read_text() + "  closes:\n    - {name: closes, uri: ./closes}\n")
    period = ("--issuer", "Amazon Web Services", "--period", "2026-10")
    closed = run("close", "--config", file, *period)
    assert closed.exit_code == 0, closed.output


@pytest.fixture(scope="module")
def closed_once(looked_at_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked day, settled under version 1, with nothing left to do."""
    folder = shutil.copytree(looked_at_once, tmp_path_factory.mktemp("closed") / "worked_day")
    close(folder)
    with dg.DagsterInstance.ephemeral() as instance:
        driven = Driven(folder / FILE, instance)
        driven.look()
        record_day(driven.house, DAY)
        driven.look()
    return folder


@pytest.fixture
def closed(closed_once: Path, tmp_path: Path) -> Iterator[Driven]:
    """The settled day, the test's own copy."""
    folder = shutil.copytree(closed_once, tmp_path / "worked_day")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Driven(folder / FILE, instance)


def test_a_close_is_taken_in_at_once_with_the_bill_that_came_with_it(settled: Driven) -> None:
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    settled.look()
    assert "waits until" in settled.tick(LATE).skipped
    close(settled.folder)
    settled.look()
    (found,) = stale_days(settled.house)
    assert found.moved == ("billing_exports", "close_records")
    settled.take_in(settled.tick(LATE).only)
    assert settled.tick(LATE).skipped == "no recorded day is stale"


def test_a_period_that_settles_with_time_is_noticed_when_the_day_turns(settled: Driven) -> None:
    """Closed early: the day settles when `provisional_for` is over, and nothing lands then."""
    settled.publish(2, settlement="{metric: effective_cost, provisional_for: 2400h}")
    settled.look()
    settled.take_in(settled.tick(LATE).only)
    close(settled.folder)
    settled.look()
    assert settled.tick(LATE).skipped == "no recorded day is stale"
    settled.later(days=100)
    assert settled.settle("new_objects") == 1
    (found,) = stale_days(settled.house)
    assert found.moved == ("close_records",)
    assert settled.tick(LATE).days == ["2026-10-05"]


def test_a_new_policy_over_a_settled_day_is_told_and_not_requested(closed: Driven) -> None:
    closed.publish(2)
    closed.look()
    (found,) = stale_days(closed.house)
    assert (found.moved, found.needs_force, found.is_due) == (("policy",), True, False)
    said = closed.tick(LATE).skipped
    assert "2026-10-05 closed under an older policy version, which stays unless forced" in said


def test_late_evidence_of_such_a_day_is_taken_in_under_its_old_version(closed: Driven) -> None:
    closed.publish(2)
    closed.late_span()
    closed.look()
    (found,) = stale_days(closed.house)
    assert found.moved == ("span_partitions", "policy")
    closed.take_in(closed.tick(LATE).only)
    head = closed.house.lake.head(DAY)
    assert head is not None
    assert head.policy_version == 1
    assert [day.moved for day in stale_days(closed.house)] == [("policy",)]
    closed.look()
    assert [day.moved for day in stale_days(closed.house)] == [("policy",)]


def test_a_forced_run_ends_it(closed: Driven) -> None:
    closed.publish(2)
    job = closed.repository.get_job(LATE_DAYS)
    assert job.execute_in_process(
        instance=closed.instance,
        partition_key=DAY.isoformat(),
        tags={FORCE: "true"},
        run_config=QUIET,
    ).success
    assert closed.tick(LATE).skipped == "no recorded day is stale"


def test_the_check_sets_days_that_need_force_apart_and_says_how(closed: Driven) -> None:
    closed.publish(2)
    answer = stale_partitions(closed.house)
    assert not answer.passed
    assert answer.metadata["range_to_paste"] == ""
    assert answer.metadata["range_that_needs_force"] == "2026-10-05"
    assert "under Tags add attribution/force with value true" in answer.description
    (row,) = answer.metadata["days"].records
    assert row.data["remark"] == "closed: the new policy needs force"
