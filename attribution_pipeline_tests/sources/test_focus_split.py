"""Split cost allocation: parts land, an origin row never counts beside its parts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from attribution_pipeline.sources.focus import split
from attribution_pipeline_tests.sources.focus_bills import Landed, csv_bytes, land, row

SPLIT = "split_origin_full_cost"


def part(pod: str, cost: str, **changes: Any) -> dict[str, Any]:
    return row(
        AllocatedMethodId="split-1",
        AllocatedResourceId=pod,
        ResourceId="i-1",
        BilledCost=cost,
        EffectiveCost=cost,
        **{"AllocatedMethodDetails": "", **changes},
    )


def origin(cost: str, **changes: Any) -> dict[str, Any]:
    return part("", cost, **changes)


def landed_cost(landed: Landed) -> Decimal:
    return sum((r["BilledCost"] for r in landed.rows), Decimal(0))


def test_allocated_rows_without_an_origin_land() -> None:
    landed = land(csv_bytes(part("pod-a", "0.7"), part("pod-b", "0.3")))
    assert landed_cost(landed) == 1
    assert not landed.rejected


def test_a_zeroed_origin_row_lands_and_counts_nothing() -> None:
    empty = json.dumps({"Elements": []})
    landed = land(csv_bytes(origin("0", AllocatedMethodDetails=empty), part("pod-a", "1")))
    assert landed.table.num_rows == 2
    assert landed_cost(landed) == 1


def test_a_full_cost_origin_beside_its_parts_is_rejected_and_counted() -> None:
    rows = [part("pod-a", "0.7"), origin("1.0"), part("pod-b", "0.3"), row(BilledCost="5")]
    landed = land(csv_bytes(*rows))
    assert landed.reasons == [(2, SPLIT)]
    assert landed_cost(landed) == 6


def test_parts_that_were_rounded_to_cents_still_give_their_origin_away() -> None:
    thirds = [part(f"pod-{n}", "3.33") for n in range(3)]
    assert land(csv_bytes(origin("9.99999"), *thirds)).reasons == [(1, SPLIT)]


def test_an_origin_is_judged_with_parts_that_come_in_a_later_block() -> None:
    rows = [origin("1.0"), *[row() for _ in range(70_000)], part("pod-a", "1.0")]
    landed = land(csv_bytes(*rows))
    assert landed.reasons == [(1, SPLIT)]
    assert landed.table.num_rows == 70_001


def test_a_method_without_any_part_beside_it_is_a_charge_that_was_not_split() -> None:
    landed = land(csv_bytes(origin("1.0")))
    assert landed_cost(landed) == 1
    assert not landed.rejected


def test_parts_of_another_resource_say_nothing_about_an_origin() -> None:
    landed = land(csv_bytes(origin("1.0"), {**part("pod-a", "1.0"), "ResourceId": "i-2"}))
    assert not landed.rejected


def test_the_unallocated_rest_of_a_split_is_a_part_and_lands() -> None:
    share = json.dumps({"Elements": [{"AllocatedRatio": 0.3}]})
    named = part("pod-a", "0.5")
    rest = origin("0.5", AllocatedMethodDetails=share)
    assert landed_cost(land(csv_bytes(named, rest))) == 1


def test_a_bare_row_that_is_not_the_sum_of_the_parts_is_a_part() -> None:
    landed = land(csv_bytes(part("pod-a", "0.7"), origin("0.3")))
    assert landed_cost(landed) == 1
    assert not landed.rejected


def test_several_origins_of_one_resource_are_judged_together() -> None:
    rows = [origin("1"), origin("2"), part("pod-a", "1.5"), part("pod-b", "1.5")]
    assert land(csv_bytes(*rows)).reasons == [(1, SPLIT), (2, SPLIT)]


def test_an_unusable_part_is_rejected_for_its_own_reason() -> None:
    landed = land(csv_bytes(part("pod-a", "x"), part("pod-b", "1")))
    assert landed.reasons == [(1, "unreadable_billed_cost")]
    assert split.REASON == SPLIT
