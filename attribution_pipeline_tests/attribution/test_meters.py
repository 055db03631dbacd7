"""Meters: slices, denominators, the open row, and what late evidence may move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline_tests.attribution.days import (
    METERS,
    MIDNIGHT,
    call,
    day,
    line,
    token_line,
)


def rows(found):
    """Amounts by row identity, for comparing two states of a day."""
    return {row["attribution_id"]: row["billed_cost"] for row in found.ledger}


def test_late_span_moves_money_only_from_the_open_row(tmp_path):
    lines = [token_line(1, "10", "m-uncached", 1000), token_line(2, "-1", "m-uncached", -100,
             ChargeClass="Correction")]  # fmt: skip
    early = [call(1, "a", uncached_input=300), call(2, "b", uncached_input=333)]
    (tmp_path / "late").mkdir()
    before = rows(day(tmp_path, METERS, lines=lines, spans=early))
    late = call(3, "c", uncached_input=100)
    after = rows(day(tmp_path / "late", METERS, lines=lines, spans=[*early, late]))
    moved = {key for key in before | after if before.get(key) != after.get(key)}
    # for the charge and its correction: the open row, and the row of c
    assert len(moved) == 4
    assert sum(after.values()) == sum(before.values()) == Decimal(9)


def test_more_tokens_than_billed_divide_by_what_was_seen(tmp_path):
    found = day(
        tmp_path, METERS, lines=[token_line(1, "10", "m-uncached", 2)],
        spans=[call(1, "a", uncached_input=1), call(2, "b", uncached_input=2)],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal("3.333333333333")
    assert found.cost(tenant_id="b") == Decimal("6.666666666666")
    assert found.cost(unallocated_reason="rounding") == Decimal("0.000000000001")
    assert {r["confidence"] for r in found.ledger if r["tenant_id"]} == {"estimated"}


def test_the_open_row_keeps_its_id_when_the_gap_becomes_dust(tmp_path):
    ids = set()
    for number, tokens in enumerate((1, 3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = day(folder, METERS, lines=[token_line(1, "10", "m-uncached", 3)],
                    spans=[call(1, "a", uncached_input=1), call(2, "b", uncached_input=tokens)])  # fmt: skip
        ids |= {row["attribution_id"] for row in found.ledger if row["leg"] == "open"}
    assert len(ids) == 1


def test_regions_separate_slices_where_both_planes_say_them(tmp_path):
    lines = [token_line(1, "10", "m-uncached", 100, RegionId="eu"),
             token_line(2, "50", "m-uncached", 100, RegionId="us")]  # fmt: skip
    spans = [call(1, "a", uncached_input=100, region="eu"),
             call(2, "b", uncached_input=100, region="us")]  # fmt: skip
    found = day(tmp_path, METERS, lines=lines, spans=spans)
    assert (found.cost(tenant_id="a"), found.cost(tenant_id="b")) == (10, 50)


def test_a_span_without_region_joins_the_regions(tmp_path):
    lines = [token_line(1, "10", "m-uncached", 100, RegionId="eu"),
             token_line(2, "50", "m-uncached", 100, RegionId="us")]  # fmt: skip
    spans = [call(1, "a", uncached_input=100, region="eu"), call(2, "b", uncached_input=100)]
    found = day(tmp_path, METERS, lines=lines, spans=spans)
    assert (found.cost(tenant_id="a"), found.cost(tenant_id="b")) == (30, 30)


def test_twins_are_one_operation_and_a_retry_with_its_own_response_is_two(tmp_path):
    client = call(1, "a", uncached_input=10, response_id="r", pod="app", namespace="apps")
    server = call(2, None, uncached_input=10, response_id="r", kind=2, pod="srv", namespace="inf")
    retried = call(3, "a", uncached_input=10, response_id="r2")
    found = day(tmp_path, METERS, lines=[token_line(1, "2", "m-uncached", 20)],
                spans=[client, server, retried])  # fmt: skip
    assert len(found.operation_costs) == 2
    assert found.cost(tenant_id="a") == Decimal(2)


def test_a_sampled_span_weighs_its_adjusted_count_and_is_estimated(tmp_path):
    found = day(tmp_path, METERS, lines=[token_line(1, "10", "m-uncached", 100)],
                spans=[call(1, "a", uncached_input=30, sampling_threshold="8"),
                       call(2, "b", uncached_input=40)])  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal(6)  # 30 tokens at one in two
    assert {r["confidence"] for r in found.ledger if r["tenant_id"] == "a"} == {"estimated"}


def test_a_unit_that_the_meter_does_not_convert_is_refused_by_name(tmp_path):
    with pytest.raises(Refusal, match=r"'Gigatokens'.*tokens_per_unit"):
        day(
            tmp_path, METERS, lines=[token_line(1, "1", "m-uncached", 1, ConsumedUnit="Gigatokens")]
        )


def test_a_unit_counts_without_regard_to_case_where_none_is_written_so(tmp_path):
    lines = [token_line(1, "10", "m-uncached", 100, ConsumedUnit="tOKENS")]
    found = day(tmp_path, METERS, lines=lines, spans=[call(1, "a", uncached_input=50)])
    assert found.cost(tenant_id="a") == 5


def test_a_slice_beyond_64_bits_is_refused_by_name(tmp_path):
    with pytest.raises(Refusal, match="too many for 64-bit division"):
        day(tmp_path, METERS, lines=[token_line(1, "1", "m-uncached", 10**18)],
            spans=[call(1, "a", uncached_input=10**12)])  # fmt: skip


def test_a_charge_of_a_week_falls_on_its_days_and_sums_to_itself(tmp_path):
    week = line(1, "1", ServiceName="Seats", ChargePeriodStart=datetime(2026, 10, 1, tzinfo=UTC),
                 ChargePeriodEnd=datetime(2026, 10, 8, tzinfo=UTC))  # fmt: skip
    total = Decimal(0)
    for number in range(7):
        folder = tmp_path / str(number)
        folder.mkdir()
        on = datetime(2026, 10, 1, tzinfo=UTC).date() + timedelta(days=number)
        found = day(folder, METERS, lines=[week], on=on, first_day=on.replace(day=1))
        assert abs(found.cost() - Decimal(1) / 7) < Decimal("1e-12")
        total += found.cost()
    assert total == 1


def test_what_lies_before_the_first_day_stands_on_it_and_keeps_its_period(tmp_path):
    before = MIDNIGHT - timedelta(days=3)
    old = line(1, "5", ChargePeriodStart=before, ChargePeriodEnd=before + timedelta(days=1))
    found = day(tmp_path, METERS, lines=[old, line(2, "1")])
    assert found.cost(unallocated_reason="outside_range") == Decimal(5)
    assert found.cost() == Decimal(6)


def test_two_sources_of_one_account_and_period_are_refused(tmp_path):
    with pytest.raises(Refusal, match=r"comes in by two sources: bill, other"):
        day(tmp_path, METERS, lines=[line(1, "1"), line(2, "1", source="other", object_id="o")])
