"""``late_evidence``: stale days are requested oldest first, each state once, failures again."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from attribution_pipeline.orchestration import sensors
from attribution_pipeline.orchestration.attempts import ATTEMPTS, BACKOFF
from attribution_pipeline.orchestration.checks.staleness import stale_partitions
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.jobs import DAILY, LATE_DAYS
from attribution_pipeline.orchestration.late_requests import LANDING_TAKES, REQUESTED_PER_TICK
from attribution_pipeline.orchestration.span_attributes import land
from attribution_pipeline.orchestration.staleness import stale_days
from attribution_pipeline_tests.orchestration.deployments import DAY, record_otherwise
from attribution_pipeline_tests.orchestration.ticks import Clock, Driven

NEW, LATE = "new_objects", "late_evidence"


def test_late_spans_are_landed_requested_and_taken_in(settled: Driven) -> None:
    assert settled.tick(LATE).skipped == "no recorded day is stale"
    settled.late_span()
    assert settled.settle(NEW) == 1
    request = settled.tick(LATE).only
    assert request.partition_key == "2026-10-05"
    assert request.tags["attribution/day"] == "2026-10-05"
    assert settled.launch(LATE, request)
    assert settled.tick(LATE).skipped == "no recorded day is stale"
    assert [state.state for state in settled.house.lake.states()] == [1, 2]
    assert settled.settle(NEW) == 0
    assert settled.answer("conservation_per_charge") == (True, "2026-10-05")


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_a_day_in_flight_is_left_alone_whoever_launched_it(
    settled: Driven, status: dg.DagsterRunStatus
) -> None:
    settled.late_span()
    settled.look()
    settled.run_of(DAILY, status, **{"dagster/partition": "2026-10-05"})
    assert settled.tick(LATE).skipped == "stale: 1 day; 1 queued or running"


def test_a_day_within_a_run_over_a_range_is_in_flight(settled: Driven) -> None:
    settled.late_span()
    settled.look()
    within = {
        "dagster/asset_partition_range_start": "2026-10-01",
        "dagster/asset_partition_range_end": "2026-10-05",
    }
    settled.run_of(LATE_DAYS, dg.DagsterRunStatus.STARTED, **within)
    assert settled.tick(LATE).skipped == "stale: 1 day; 1 queued or running"


def test_a_bill_that_goes_there_and_back_fires_each_time(settled: Driven) -> None:
    """The recorded state is in the key: the third time the target is what the first one was."""
    keys = []
    for old, new in ((",0.50,", ",0.75,"), (",0.75,", ",0.50,"), (",0.50,", ",0.75,")):
        settled.bill_line("Amazon Route 53", old, new)
        settled.later(days=2)
        settled.look()
        request = settled.tick(LATE).only
        keys.append(request.run_key)
        settled.take_in(request)
    assert len(set(keys)) == 3
    targets = [str(key).split(":")[1] for key in keys]
    assert targets[0] == targets[2] != targets[1]
    assert [state.state for state in settled.house.lake.states()] == [1, 2, 3, 4]


def test_a_bill_alone_waits_a_day_and_says_so(settled: Driven) -> None:
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    settled.look()
    said = settled.tick(LATE).skipped
    assert "2026-10-05 moved by bills alone, less than a day after it was recorded" in said
    assert "waits until" in said
    settled.later(hours=24)
    assert settled.tick(LATE).days == ["2026-10-05"]


def test_a_bill_that_comes_with_spans_does_not_wait(settled: Driven) -> None:
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    settled.late_span()
    settled.look()
    assert settled.tick(LATE).days == ["2026-10-05"]


def test_a_published_policy_asks_for_the_days_it_governs(driven_days: Driven) -> None:
    driven_days.publish(2, effective_from="2026-10-06", evidence_gap="spread")
    assert driven_days.tick(LATE).days == ["2026-10-06", "2026-10-07"]  # before any landing run
    for request in driven_days.tick(LATE).requests:
        driven_days.take_in(request)
    assert driven_days.tick(LATE).skipped == "no recorded day is stale"
    driven_days.look()
    assert driven_days.tick(LATE).skipped == "no recorded day is stale"
    versions = {state.day.day: state.policy_version for state in driven_days.house.lake.states()}
    assert versions == {5: 1, 6: 2, 7: 2}


def naming(settled: Driven, number: int) -> Path:
    """Publish a version that names a span attribute that none before it named."""
    names = f"tenant\n  attributes: {{task: [app.task.{number}]}}"
    return settled.publish(number, **{"  tenant_tag": names})


def test_days_wait_until_landing_has_read_their_spans_for_what_a_version_names(
    settled: Driven,
) -> None:
    """Run before, they would be run once more after it."""
    naming(settled, 2)
    said = settled.tick(LATE).skipped
    assert said.startswith(
        "stale: 1 day; 2026-10-05 wait until landing has read their spans again for attributes that a "
        "policy version names (the job landing, or the sensor new_objects), at most until "
    )
    land(settled.house)
    request = settled.tick(LATE).only
    settled.take_in(request)
    bring_up_to_date(settled.house)
    assert settled.tick(LATE).skipped == "no recorded day is stale"
    assert [state.state for state in settled.house.lake.states()] == [1, 2]


def test_a_source_that_is_gone_holds_no_day_once_landing_has_looked(settled: Driven) -> None:
    (settled.folder / "spans" / "traces.jsonl").unlink()
    naming(settled, 2)
    assert "wait until landing" in settled.tick(LATE).skipped
    assert land(settled.house).awaiting == 1
    assert settled.tick(LATE).days == ["2026-10-05"]
    assert "First launch the job landing" not in stale_partitions(settled.house).description


def test_days_wait_for_landing_for_hours_and_not_for_ever(settled: Driven) -> None:
    """It fails, or nobody runs it: then a day is run from what there is."""
    path = naming(settled, 2)
    assert "First launch the job landing" in stale_partitions(settled.house).description
    hours = LANDING_TAKES.total_seconds() / 3600
    for ahead in (0, hours - 0.1):
        settled.later(hours=ahead)
        # copied anew by whoever delivers the folder, and by a clock that is ahead
        written = (Clock.now() + timedelta(hours=hours * 0.9)).timestamp()
        os.utime(path, (written, written))
        assert "wait until landing" in settled.tick(LATE).skipped
    settled.later(hours=0.2)
    request = settled.tick(LATE).only
    settled.take_in(request)
    assert settled.tick(LATE).skipped == "no recorded day is stale"
    naming(settled, 3)  # the next version has its own hours
    assert "wait until landing" in settled.tick(LATE).skipped


@pytest.mark.parametrize(
    "cursor", [None, "waits for nothing", "2026-10-05T12:00:00", "2126-10-05T12:00Z"]
)
def test_a_wait_of_which_no_time_is_known_begins_now(cursor: str | None) -> None:
    """The memory is new, another release's, or of a clock that was a century ahead."""
    now = datetime(2026, 10, 6, tzinfo=UTC)
    assert sensors._waits_since(dg.build_sensor_context(cursor=cursor), now) == now


def test_a_failed_day_is_tried_again_later_and_later_and_then_given_up(settled: Driven) -> None:
    policy = settled.publish(2)
    good = policy.read_text(encoding="utf-8")
    policy.write_text(good.replace("1000 Tokens: 1000", "Images: 1"), encoding="utf-8")
    for attempt in range(1, ATTEMPTS + 1):
        request = settled.tick(LATE).only
        assert str(request.run_key).endswith(f":{attempt}")
        if attempt < ATTEMPTS:
            settled.run_of(LATE_DAYS, dg.DagsterRunStatus.FAILURE, request)
            assert "2026-10-05 failed: tried again from" in settled.tick(LATE).skipped
            settled.later(seconds=BACKOFF[attempt - 1].total_seconds() + 1)
        else:
            assert not settled.launch(LATE, request)
    said = settled.tick(LATE).skipped
    assert "2026-10-05 given up after 3 attempts (2026-10-05: " in said
    assert "1000 Tokens" in said
    policy.write_text(good, encoding="utf-8")  # not used yet, so it may be put right
    settled.take_in(settled.tick(LATE).only)
    assert settled.tick(LATE).skipped == "no recorded day is stale"


def test_more_days_than_go_at_once_go_oldest_first(
    settled: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    for offset in range(1, 4):
        record_otherwise(settled.house, day=DAY + timedelta(days=offset))
    monkeypatch.setattr("attribution_pipeline.orchestration.late_requests.REQUESTED_PER_TICK", 3)
    settled.publish(2)
    first = settled.tick(LATE)
    assert first.days == ["2026-10-05", "2026-10-06", "2026-10-07"]
    for request in first.requests[:2]:
        settled.run_of(LATE_DAYS, dg.DagsterRunStatus.QUEUED, request)
    assert settled.tick(LATE).days == ["2026-10-07"]
    assert REQUESTED_PER_TICK == 25


def test_unusable_evidence_is_told_and_not_requested(settled: Driven) -> None:
    settled.late_span()
    settled.look()
    (landed,) = (settled.house.lake.storage / "landed" / "usage").rglob("*.parquet")
    good = landed.read_bytes()
    landed.write_bytes(good[:-1] + b"?")
    usage = settled.folder / "usage" / "usage.csv"
    settled.deliver(
        "usage/more.csv",
        usage.read_text(encoding="utf-8").splitlines()[0]
        + "\n2026-10-05,Pinecone,index-main,tenant-a,search,query_units,1\n",
    )
    settled.look()
    said = settled.tick(LATE).skipped
    assert f"2026-10-05 can't be run (2026-10-05: {landed}" in said
    landed.write_bytes(good)
    settled.look()
    assert settled.tick(LATE).days == ["2026-10-05"]


def test_nothing_hangs_on_the_instance_remembering(settled: Driven, tmp_path: Path) -> None:
    """A new instance, as after a lost database, comes to the same requests."""
    settled.late_span()
    settled.look()
    key = settled.tick(LATE).only.run_key
    (tmp_path / "sqlite").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "sqlite")) as other:
        afresh = Driven(settled.file, other)
        assert afresh.tick(LATE).only.run_key == key
        afresh.take_in(afresh.tick(LATE).only)
        assert afresh.tick(LATE).skipped == "no recorded day is stale"


def test_a_run_that_changed_nothing_is_not_repeated(settled: Driven) -> None:
    """Evidence went back between the digests and the run: the digests catch up with landing."""
    settled.late_span()
    settled.look()
    settled.run_of(LATE_DAYS, dg.DagsterRunStatus.SUCCESS, settled.tick(LATE).only)
    assert "digests are looked at again with the next landing" in settled.tick(LATE).skipped
    assert [day.day for day in stale_days(settled.house)] == [date(2026, 10, 5)]


def test_a_run_whose_process_died_is_not_waited_for_for_ever(settled: Driven) -> None:
    """It says for ever that it is started; it counts as a failed try."""
    settled.late_span()
    settled.look()
    first = settled.tick(LATE).only
    settled.run_of(LATE_DAYS, dg.DagsterRunStatus.STARTED, first)
    assert "1 queued or running" in settled.tick(LATE).skipped
    settled.later(hours=7)
    second = settled.tick(LATE).only
    assert str(second.run_key) == str(first.run_key).removesuffix("1") + "2"


def test_a_queued_run_is_waited_for_however_long_the_queue_is(settled: Driven) -> None:
    settled.late_span()
    settled.look()
    settled.run_of(LATE_DAYS, dg.DagsterRunStatus.QUEUED, settled.tick(LATE).only)
    settled.later(days=3)
    assert "1 queued or running" in settled.tick(LATE).skipped


def test_a_replay_of_the_day_is_no_reason_to_wait(settled: Driven) -> None:
    settled.late_span()
    settled.look()
    settled.run_of("replay", dg.DagsterRunStatus.STARTED, **{"dagster/partition": "2026-10-05"})
    assert settled.tick(LATE).days == ["2026-10-05"]


def test_where_evidence_was_never_looked_at_it_is_said(driven: Driven) -> None:
    assert "evidence was never looked at" in driven.tick(LATE).skipped


def test_days_before_the_first_cannot_be_requested_and_stop_no_other(driven_days: Driven) -> None:
    """`first_day` is not to be moved; where it was, the days before are no partitions."""
    text = driven_days.file.read_text(encoding="utf-8")
    driven_days.file.write_text(text.replace("first_day: 2026-10-05", "first_day: 2026-10-06"))
    driven_days.publish(2)
    moved = Driven(driven_days.file, driven_days.instance)
    assert moved.tick(LATE).days == ["2026-10-06", "2026-10-07"]
