"""A fault withholds evidence; what happened, and what was billed, stays as it was."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline.simulator import FAULTS, Report, write_company
from attribution_pipeline_tests.simulator import reading
from attribution_pipeline_tests.simulator.conftest import DAYS, SPANS_PER_DAY

Company = tuple[Path, Report]


def played(directory: Path, *faults: str) -> tuple[Path, Report]:
    return directory, write_company(
        directory, days=DAYS, spans_per_day=SPANS_PER_DAY, faults=faults
    )


def _by_cause(directory: Path) -> dict[tuple[object, ...], Decimal]:
    sums: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for row in reading.truth(directory):
        sums[row["charge_date"], row["service"], row["resource_id"], row["tenant_id"]] += row[
            "effective_cost"
        ]
    return sums


@pytest.mark.parametrize(
    "fault", ["duplicates", "lost_spans", "lost_hour", "silent_pod", "late_spans"]
)
def test_no_fault_of_telemetry_changes_the_bill_or_who_caused_it(
    company: Company, tmp_path: Path, fault: str
) -> None:
    directory, _ = played(tmp_path / fault, fault)
    before, after = reading.digest(company[0]), reading.digest(directory)
    unchanged = [p for p in before if p.startswith(("bill-", "opencost", "usage", "polic"))]
    assert unchanged
    assert {p: after.get(p) for p in unchanged} == {p: before[p] for p in unchanged}
    told, happened = _by_cause(directory), _by_cause(company[0])
    # dedicated pods that were seen no more are told by their label: same tenant, other cause
    assert told == happened


def test_duplicates_are_exact_and_come_under_keys_of_their_own(
    company: Company, tmp_path: Path
) -> None:
    directory, report = played(tmp_path / "d", "duplicates")
    texts: dict[tuple[str, str], set[str]] = defaultdict(set)
    objects: dict[tuple[str, str], set[Path]] = defaultdict(set)
    deliveries = 0
    for span in reading.spans(directory):
        deliveries += 1
        texts[span.id].add(repr((sorted(span.resource.items()), span.scope, span.span)))
        objects[span.id].add(span.object)
    assert deliveries == report.deliveries > report.spans
    assert set(texts) == {span.id for span in reading.spans(company[0])}
    assert all(len(found) == 1 for found in texts.values())
    assert sum(len(found) > 1 for found in objects.values()) > 0.03 * report.spans


def test_late_objects_are_listed_and_come_under_the_hour_of_their_upload(
    company: Company, tmp_path: Path
) -> None:
    directory, report = played(tmp_path / "late", "late_spans")
    with (directory / "truth" / "late.csv").open() as file:
        listed = {row["path"]: row for row in csv.DictReader(file)}
    ends: dict[str, list[int]] = defaultdict(list)
    for span in reading.spans(directory):
        ends[span.object.relative_to(directory).as_posix()].append(span.end_ms)
    assert {span.id for span in reading.spans(directory)} == {
        span.id for span in reading.spans(company[0])
    }
    assert 0 < len(listed) < 0.1 * report.objects
    for path, row in listed.items():
        uploaded = datetime.fromisoformat(row["uploaded_at"])
        assert f"{uploaded:year=%Y/month=%m/day=%d/hour=%H/minute=%M}" in path
        lateness = uploaded.timestamp() - max(ends[path]) / 1000
        assert 1 <= int(row["hours_late"]) <= lateness / 3600 < 73
        assert len(ends[path]) == int(row["spans"])
    assert report.deliveries == sum(map(len, ends.values()))


def test_two_in_a_hundred_spans_are_lost_and_the_same_ones_again_among_all_faults(
    company: Company, tmp_path: Path
) -> None:
    every = {span.id for span in reading.spans(company[0])}
    lost = every - {span.id for span in reading.spans(played(tmp_path / "l", "lost_spans")[0])}
    assert 0.012 * len(every) < len(lost) < 0.028 * len(every)
    left = {span.id for span in reading.spans(played(tmp_path / "a", *FAULTS)[0])}
    assert left & every < every
    assert not left & lost


def test_the_lost_hour_is_empty_and_every_other_hour_whole(
    company: Company, tmp_path: Path
) -> None:
    def by_hour(directory: Path) -> Counter[int]:
        return Counter(span.end_ms // 3_600_000 for span in reading.spans(directory))

    whole, left = by_hour(company[0]), by_hour(played(tmp_path / "h", "lost_hour")[0])
    gone = set(whole) - set(left)
    assert [hour % 24 for hour in gone] == [14]
    assert left == Counter({hour: n for hour, n in whole.items() if hour not in gone})


def test_the_unknown_node_is_billed_and_opencost_has_never_heard_of_it(
    company: Company, tmp_path: Path
) -> None:
    directory, _ = played(tmp_path / "u", "unknown_node")

    def known(root: Path) -> set[str]:
        return {row["properties"]["name"] for _, row in reading.snapshot(root, "assets")}

    hidden = known(company[0]) - known(directory)
    assert len(hidden) == 1
    assert not any(
        row["properties"]["node"] in hidden for _, row in reading.snapshot(directory, "allocation")
    )
    rows = [row for row in reading.truth(directory) if row["expected_reason"] == "no_driver"]
    assert {(row["cause"], row["tenant_id"], row["knowable"]) for row in rows} == {
        ("platform", None, False)
    }
    resource = {row["resource_id"] for row in rows}
    assert resource <= {row["ResourceId"] for row in reading.bill(directory)}
    assert len(rows) == DAYS


def test_the_silent_pods_cost_and_calls_are_told_with_the_reason_that_is_left(
    company: Company, tmp_path: Path
) -> None:
    directory, _ = played(tmp_path / "s", "silent_pod")
    before = {span.pod for span in reading.spans(company[0])}
    silent = before - {span.pod for span in reading.spans(directory)}
    assert len(silent) == 1

    def lost(root: Path, reason: str, cause: str) -> Decimal:
        return sum(
            (row["effective_cost"] for row in reading.truth(root)
             if row["expected_reason"] == reason and row["cause"] == cause),
            Decimal(0),
        )  # fmt: skip

    for reason in ("no_operation_evidence", "telemetry_gap", "identity_missing"):
        assert lost(directory, reason, "call") > lost(company[0], reason, "call")
