"""``new_objects``: lands what is new, once, and looks at evidence again when there is a reason."""

from __future__ import annotations

import dagster as dg
import pytest

from attribution_pipeline.orchestration.attempts import ATTEMPTS, BACKOFF
from attribution_pipeline.orchestration.jobs import DAILY, LANDING
from attribution_pipeline_tests.orchestration.ticks import Driven

NEW = "new_objects"


def test_after_landing_there_is_nothing_new(driven: Driven) -> None:
    assert driven.settle(NEW) == 1  # evidence was never looked at
    assert driven.tick(NEW).skipped == "nothing new since landing 4"


def test_a_new_file_is_landed_by_one_run(settled: Driven) -> None:
    settled.late_span()
    request = settled.tick(NEW).only
    assert settled.tick(NEW).only.run_key == request.run_key
    assert settled.launch(NEW, request)
    assert settled.tick(NEW).skipped == "nothing new since landing 5"


def test_while_a_landing_run_is_on_its_way_none_is_requested(settled: Driven) -> None:
    settled.late_span()
    settled.run_of(LANDING, dg.DagsterRunStatus.QUEUED)
    said = settled.tick(NEW).skipped
    assert said.startswith("a landing run is queued or running; then: 1 new objects")


def test_the_nightly_run_lands_too(settled: Driven) -> None:
    settled.late_span()
    settled.run_of(DAILY, dg.DagsterRunStatus.STARTED, **{"dagster/partition": "2026-10-06"})
    assert "a landing run is queued or running" in settled.tick(NEW).skipped


def test_a_file_that_is_being_written_waits(settled: Driven) -> None:
    path = settled.late_span()
    path.touch()
    assert "held back in the sources: 1 still_arriving" in settled.tick(NEW).skipped
    settled.later(seconds=31)
    assert settled.tick(NEW).only


def test_a_half_written_delivery_waits_for_its_manifest_and_fires_once(settled: Driven) -> None:
    part = "billing/data/BILLING_PERIOD=2026-11/2026-11-20T00:00:00Z-1/part-1.csv"
    settled.deliver(part, "BilledCost\n")
    assert settled.tick(NEW).skipped.endswith("held back in the sources: 1 awaiting_manifest")
    settled.deliver(
        part.replace("data/", "metadata/").replace("part-1.csv", "focus-Manifest.json"),
        f'{{"dataFiles": ["s3://bucket/{part}"]}}',
    )
    assert settled.launch(NEW, settled.tick(NEW).only)
    assert settled.tick(NEW).skipped.startswith("nothing new")


def test_the_same_batch_under_other_names_is_landed_and_makes_no_day_stale(
    settled: Driven,
) -> None:
    for number in range(4):
        settled.again("spans/traces.jsonl", f"again-{number}.jsonl")
    assert settled.settle(NEW) == 1
    assert settled.tick("late_evidence").skipped == "no recorded day is stale"


def test_a_published_policy_is_a_reason_and_so_is_taking_it_back(settled: Driven) -> None:
    policy = settled.publish(2)
    first = settled.tick(NEW)
    assert settled.launch(NEW, first.only)
    policy.unlink()
    assert settled.launch(NEW, settled.tick(NEW).only)
    settled.publish(2)
    assert settled.launch(NEW, settled.tick(NEW).only)


def test_a_day_that_passed_is_a_reason_once(settled: Driven) -> None:
    settled.later(days=1)
    assert settled.settle(NEW) == 1
    assert settled.tick(NEW).skipped.startswith("nothing new")


def test_what_a_run_leaves_behind_does_not_fire_for_ever(
    settled: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that can be listed and not read stays where it is; it is tried again tomorrow."""
    settled.late_span()

    def out_of_reach(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("attribution_pipeline.sources.landing_run.open_object", out_of_reach)
        assert settled.launch(NEW, settled.tick(NEW).only)
    assert (
        "the last landing run left these where they are, its log says why: 1 new objects"
        in settled.tick(NEW).skipped
    )
    settled.later(days=1)
    assert settled.launch(NEW, settled.tick(NEW).only)
    assert settled.tick(NEW).skipped == "nothing new since landing 5"


def test_a_failed_landing_is_tried_again_later_and_later_and_then_given_up(
    settled: Driven,
) -> None:
    policy = settled.publish(2, evidence_gap="maybe")
    for attempt in range(1, ATTEMPTS + 1):
        request = settled.tick(NEW).only
        assert request.run_key is not None
        assert request.run_key.endswith(f":{attempt}")
        assert not settled.launch(NEW, request)
        if attempt < ATTEMPTS:
            assert "is tried again at" in settled.tick(NEW).skipped
            settled.later(seconds=BACKOFF[attempt - 1].total_seconds() + 1)
    said = settled.tick(NEW).skipped
    assert said.startswith("landing failed 3 times and is not tried again until something changes")
    assert "policy-2.yaml" in said
    policy.unlink()
    assert settled.tick(NEW).skipped.startswith("nothing new")


def test_a_source_that_is_gone_fails_the_tick_in_one_line(settled: Driven) -> None:
    (settled.folder / "usage").rename(settled.folder / "elsewhere")
    with pytest.raises(dg.Failure, match="source `usage`: there is no"):
        settled.tick(NEW)
