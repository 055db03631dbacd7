"""A small month reaches us late, twice and wrong first, and always ends in the same evidence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from attribution_pipeline.simulator.month import Delivery, Month, Schedule, month, on_time, schedule
from attribution_pipeline.simulator.month.deliveries import KINDS, ordered
from attribution_pipeline.simulator.month.final import deployment_files
from attribution_pipeline.simulator.month.lateness import MAX_LATE_HOURS, books_closed
from attribution_pipeline.simulator.month.steps import ORDERS

SEEDS = range(3)
SPAN_KINDS = ("spans", "late_spans", "late_span")


@pytest.fixture(scope="module", params=SEEDS)
def known(request: pytest.FixtureRequest) -> Month:
    return month(request.param)


def schedules(known: Month) -> list[Schedule]:
    return [
        schedule(known, seed, order=order, closed_period=closed)
        for seed in range(2)
        for order, closed in zip(ORDERS, ("restate", "hold"), strict=True)
    ]


def left_behind(found: Schedule, known: Month) -> dict[str, bytes]:
    """What lies in the folders when all was delivered."""
    files = deployment_files(known, found.closed_period)
    for delivery in found.deliveries:
        files |= delivery.writes
    return files


def span_ids(files: Mapping[str, bytes]) -> list[str]:
    return [
        span["spanId"]
        for path, content in files.items()
        if path.startswith("spans/")
        for resource in json.loads(content)["resourceSpans"]
        for span in resource["scopeSpans"][0]["spans"]
    ]


def written(deliveries: Iterable[Delivery]) -> dict[str, list[bytes]]:
    """Every content that a path ever had, in order."""
    found: dict[str, list[bytes]] = {}
    for delivery in deliveries:
        for path, content in delivery.writes.items():
            found.setdefault(path, []).append(content)
    return found


def test_the_same_seed_gives_the_same_month_and_the_same_schedule(known: Month) -> None:
    again = month(known.seed)
    assert again == known
    assert on_time(again) == on_time(known)
    for mine, theirs in zip(schedules(known), schedules(again), strict=True):
        assert mine == theirs
    assert len({tuple(d.name for d in found.deliveries) for found in schedules(known)}) == 4


def test_every_schedule_ends_in_the_on_time_evidence(known: Month) -> None:
    for found in schedules(known):
        expected, there = on_time(known, found.closed_period), left_behind(found, known)
        # close records tell another moment where books close before the month is over
        final = [p for p in expected if not p.startswith(("spans/", "opencost/", "closes/"))]
        assert {path: there[path] for path in final} == {path: expected[path] for path in final}
        assert set(span_ids(there)) == set(span_ids(expected))
        for path in (path for path in expected if path.startswith("opencost/")):
            corrected = path.replace(".json", "_corrected.json")
            assert there.get(corrected, there[path]) == expected[path]
            assert corrected > path, "of two that land at once the later path is the newer one"


def test_nothing_comes_before_what_it_must_follow(known: Month) -> None:
    for found in schedules(known):
        place = {delivery.name: number for number, delivery in enumerate(found.deliveries)}
        assert len(place) == len(found.deliveries), "names are unique"
        for delivery in found.deliveries:
            assert all(place[name] < place[delivery.name] for name in delivery.after)
        assert all(a.at <= b.at for a, b in zip(found.steps, found.steps[1:], strict=False))


def test_spans_are_late_by_three_days_at_most_and_come_again(known: Month) -> None:
    found = schedule(known, 0, order="forward")
    late = [d for d in found.deliveries if d.kind in ("late_spans", "late_span")]
    assert late
    for delivery in late:
        ended = max(
            int(span["endTimeUnixNano"]) // 10**9
            for content in delivery.writes.values()
            for resource in json.loads(content)["resourceSpans"]
            for span in resource["scopeSpans"][0]["spans"]
        )
        lateness = delivery.at - datetime.fromtimestamp(ended, UTC)
        assert timedelta(hours=1) <= lateness <= timedelta(hours=MAX_LATE_HOURS, minutes=5)
    replayed = [d for d in found.deliveries if d.kind == "replayed_spans"]
    assert replayed
    once = {span for d in found.deliveries if d not in replayed for span in span_ids(d.writes)}
    assert all(set(span_ids(delivery.writes)) <= once for delivery in replayed)


def test_every_kind_of_lateness_happens_to_the_kept_days(known: Month) -> None:
    for found in schedules(known):
        assert {delivery.kind for delivery in found.deliveries} == set(KINDS)
        for kind in ("corrected_opencost", "late_usage", "corrected_usage", "restated_bill"):
            touched = [
                d.name for d in found.deliveries
                if d.kind == kind and any(str(day) in d.name for day in known.books)
            ]  # fmt: skip
            assert touched, kind
    assert known.books[0] < known.changed_from <= known.books[-1]


def test_a_charge_goes_from_its_amount_to_another_and_back(known: Month) -> None:
    """100, 120, 100: in contents of one path, and in folders of their own."""
    for bill in ("bill-machines", "bill-tokens"):
        found = written(schedule(known, 1, order="forward").deliveries)
        first, second, *_, last = [
            amounts(content)
            for path, contents in sorted(found.items())
            if path.startswith(bill) and f"{known.period:%Y-%m}" in path
            for content in contents
        ]
        there = first.keys() & second.keys() & last.keys()
        assert [key for key in there if first[key] == last[key] != second[key]]


def amounts(bill: bytes) -> dict[tuple[str, ...], str]:
    """Billed cost by day, SKU and resource."""
    return {
        (row["ChargePeriodStart"], row["SkuId"], row["ResourceId"]): row["BilledCost"]
        for row in csv.DictReader(io.StringIO(bill.decode()))
    }


def test_a_correction_is_billed_in_the_period_after_the_one_that_it_corrects(known: Month) -> None:
    for found in schedules(known):
        (correction,) = (d for d in found.deliveries if d.kind == "correction")
        (content,) = correction.writes.values()
        assert b"Correction" in content
        assert f"{known.next_period}T00:00:00Z".encode() in content
        assert correction.after <= {"close tokens", "close tokens again"}


def test_work_is_done_between_the_last_close_and_what_comes_after_it(known: Month) -> None:
    found = schedule(known, 2, order="forward")
    closed = books_closed(known)
    before = [step for step in found.steps if step.at <= closed]
    assert before[-1].at == closed
    assert all(d.at <= closed for step in before for d in step.deliveries)
    assert [d for step in found.steps[len(before) :] for d in step.deliveries]


def test_deliveries_that_wait_for_each_other_are_refused() -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC)
    circle = [Delivery("a", "bill", at, {}, frozenset({"b"})), Delivery("b", "bill", at, {}, frozenset({"a"}))]  # fmt: skip
    with pytest.raises(ValueError, match="wait for each other"):
        ordered(circle, lambda delivery: delivery.name)
