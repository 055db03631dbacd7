"""A day is stale exactly when it would come out otherwise today, and it is said what moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from attribution_pipeline.lake import Lake
from attribution_pipeline.lake.evidence import DayEvidence
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration import staleness
from attribution_pipeline.orchestration.checks.staleness import stale_partitions
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.staleness import StaleDay, stale_days
from attribution_pipeline.sources.landing import land
from attribution_pipeline.views.day_ranges import pasted
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.orchestration.ticks import Driven


def stale(driven: Driven) -> list[StaleDay]:
    driven.look()
    return stale_days(driven.house)


def moved(driven: Driven) -> tuple[str, ...]:
    (found,) = stale(driven)
    return found.moved


def record(driven: Driven) -> None:
    """As `attribution run` does: what is new lands, and nobody looks at other days."""
    house = driven.house
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    record_day(driven.house, DAY)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], ""),
        ([5], "2026-10-05"),
        ([5, 6], "[2026-10-05...2026-10-06]"),
        ([9, 1, 2, 3, 4, 5], "[2026-10-01...2026-10-05], 2026-10-09"),
        ([1, 3, 3, 5], "2026-10-01, 2026-10-03, 2026-10-05"),
        ([30, 31, 29], "[2026-10-29...2026-10-31]"),
    ],
)
def test_ranges_are_what_the_backfill_dialog_takes(days: list[int], expected: str) -> None:
    assert pasted(date(2026, 10, day) for day in days) == expected


def test_ranges_cross_months() -> None:
    assert pasted([date(2026, 10, 31), date(2026, 11, 1)]) == "[2026-10-31...2026-11-01]"


def test_a_day_that_was_just_recorded_is_not_stale(settled: Driven) -> None:
    assert stale(settled) == []


def test_late_spans_move_the_operations_alone(settled: Driven) -> None:
    settled.late_span()
    assert moved(settled) == ("span_partitions",)


def test_a_restated_bill_moves_billing_alone(settled: Driven) -> None:
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    assert moved(settled) == ("billing_exports",)


def test_a_usage_report_moves_usage_alone(settled: Driven) -> None:
    usage = settled.folder / "usage" / "usage.csv"
    settled.deliver(
        "usage/usage.csv", usage.read_text().replace("query_units,30", "query_units,31")
    )
    assert moved(settled) == ("usage_reports",)


def test_several_planes_are_told_in_their_order_before_policy_and_kernel(
    settled: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled.late_span()
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    settled.look()
    settled.publish(2)
    monkeypatch.setattr("attribution_pipeline.attribution.KERNEL", "next")
    (found,) = stale_days(settled.house)
    assert found.moved == ("billing_exports", "span_partitions", "policy", "kernel")
    assert found.is_due


def test_the_same_evidence_again_moves_nothing(settled: Driven) -> None:
    settled.again("spans/traces.jsonl", "again.jsonl")
    settled.again("usage/usage.csv", "again.csv")
    assert stale(settled) == []


def test_a_day_recorded_from_newer_evidence_than_was_looked_at_is_not_stale(
    settled: Driven,
) -> None:
    settled.late_span()
    record(settled)
    assert stale_days(settled.house) == []
    bring_up_to_date(settled.house)
    assert stale_days(settled.house) == []


def test_a_policy_makes_stale_the_days_it_governs_and_no_other(driven_days: Driven) -> None:
    driven_days.look()
    driven_days.publish(2, effective_from="2026-10-07")
    (found,) = stale_days(driven_days.house)
    assert (found.day, found.moved) == (date(2026, 10, 7), ("policy",))
    assert not found.needs_force


def test_another_kernel_makes_every_day_stale(
    settled: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution_pipeline.attribution.KERNEL", "next")
    assert [day.moved for day in stale_days(settled.house)] == [("kernel",)]


def test_a_changed_file_under_a_used_version_is_refused_by_name(settled: Driven) -> None:
    policy = settled.folder / "policies" / "policy-1.yaml"
    policy.write_text(policy.read_text().replace("driver: usage.query_units", "driver: even"))
    with pytest.raises(Refusal, match=r"policy-1\.yaml"):
        stale_days(settled.house)


def test_a_day_that_no_version_governs_any_more_says_so(settled: Driven) -> None:
    policy = settled.publish(2)
    record(settled)
    policy.unlink()
    with pytest.raises(Refusal, match="version 2"):
        stale_days(settled.house)


def test_the_target_is_of_evidence_policy_and_day(settled: Driven) -> None:
    settled.late_span()
    (first,) = stale(settled)
    settled.publish(2)
    (second,) = stale(settled)
    settled.late_span("another")
    (third,) = stale(settled)
    assert len({first.target, second.target, third.target}) == 3
    assert first.manifest_id == third.manifest_id


def test_bills_alone_wait_a_day_from_the_last_recording(settled: Driven) -> None:
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    (found,) = stale(settled)
    head = settled.house.lake.head(DAY)
    assert head is not None
    assert found.waits_until == head.recorded_at + timedelta(hours=24)
    assert not found.is_due
    settled.later(hours=24)
    (found,) = stale_days(settled.house)
    assert found.waits_until is None
    assert found.is_due


def test_a_comparison_opens_no_manifest_and_no_evidence(
    settled: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled.late_span()
    settled.look()
    house = settled.house

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a light comparison opened a file")

    for target, name in (
        (Lake, "document"),
        (Lake, "manifest"),
        (DayEvidence, "find"),
        (DayEvidence, "paths"),
    ):
        monkeypatch.setattr(target, name, opened)
    assert [day.moved for day in stale_days(house)] == [("span_partitions",)]


# -- the check that people read --------------------------------------------------------------------


def test_the_check_passes_and_says_so_where_nothing_is_stale(settled: Driven) -> None:
    answer = stale_partitions(settled.house)
    assert answer.passed
    assert answer.description == "Every recorded day is what it would be today."
    assert answer.metadata["range_to_paste"] == ""


def test_the_check_prints_the_range_and_what_moved(driven_days: Driven) -> None:
    driven_days.look()
    driven_days.publish(2, effective_from="2026-10-06")
    driven_days.late_span()
    driven_days.look()
    answer = stale_partitions(driven_days.house)
    assert not answer.passed
    assert answer.metadata["range_to_paste"] == "[2026-10-05...2026-10-07]"
    assert answer.metadata["days_by_what_moved"] == {"span_partitions": 1, "policy": 2}
    assert "Out of date: 3 days (span_partitions of 1, policy of 2)" in answer.description
    rows = [dict(record.data) for record in answer.metadata["days"].records]
    assert [row["what moved"] for row in rows] == ["span_partitions", "policy", "policy"]


def test_waiting_days_do_not_fail_the_check(settled: Driven) -> None:
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    settled.look()
    answer = stale_partitions(settled.house)
    assert answer.passed
    assert answer.metadata["range_to_paste"] == ""
    assert "Waiting: 1 day, the first until" in answer.description


def test_a_bill_over_a_closed_day_that_keeps_its_policy_waits_like_any_other(
    settled: Driven,
) -> None:
    """The version in force is not taken in without force, so it is no reason to hurry."""
    settled.bill_line("Amazon Route 53", ",0.50,", ",0.75,")
    settled.look()
    settled.publish(2)
    house = settled.house
    head = house.lake.head(DAY)
    assert head is not None
    found = staleness._compared(
        house, replace(head, settled=True), staleness.last_digests(house), house.now()
    )
    assert found is not None
    assert (found.moved, found.needs_force) == (("billing_exports", "policy"), True)
    assert found.waits_until is not None


def test_the_check_says_when_evidence_was_looked_at(settled: Driven) -> None:
    said = stale_partitions(settled.house).metadata["evidence_looked_at"]
    assert said.startswith("after landing 4, 20")


def test_the_check_passes_nothing_that_nobody_has_looked_at(driven: Driven) -> None:
    never = stale_partitions(driven.house)
    assert not never.passed
    assert never.description == (
        "Not known: the evidence was not looked at yet. Launch the job landing."
    )
    driven.look()
    assert stale_partitions(driven.house).description.startswith("Every recorded day is what")
    assert stale_partitions(driven.house).passed
    driven.late_span()
    house = driven.house
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    since = stale_partitions(driven.house)
    assert since.passed
    assert "was not looked at since landing" in since.description
