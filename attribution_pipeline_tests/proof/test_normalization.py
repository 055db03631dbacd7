"""The same money by hour, by day and by month is the same money, or the gate names where it is not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration import replaying
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.proof.normalization import (
    BILL_DAYS,
    BILL_HOURS,
    LEDGER_BILL,
    LEDGER_DAYS,
    REQUEST_DAYS,
    REQUEST_HOURS,
)
from attribution_pipeline.proof.roll_ups import Gate, Line
from attribution_pipeline_tests.orchestration.deployments import (
    DAY,
    place_of,
    rewrite,
    with_value,
)
from attribution_pipeline_tests.proof.replays import History, worked_day

CENT = Decimal("0.01")
METER, CORRECTION, VECTORS, ZONE = 3, 4, 6, 8
"""Lines of the worked day's bill, from 0."""

REQUESTS_OF_DAY = {
    "driver": "5.000000000000", "idle": "7.100000000000", "none": "4.200000000000",
    "overhead": "3.410000000000", "tag": "1.250000000000", "workload": "0.900000000000",
}  # fmt: skip
"""Design page 60: what the worked day's rows cost that no request carries, billed."""


def line(gate: Gate, pair: str, cost: str = "billed_cost") -> Line:
    return next(found for found in gate.lines if (found.pair, found.cost) == (pair, cost))


def of_day(history: History, number: int | None = None) -> Gate:
    return replaying.gate_of_day(history.house(), history.state(number))


def of_month(history: History, month: date = DAY) -> Gate:
    return replaying.gate_of_month(history.house(), month)


@pytest.fixture
def fresh(tmp_path) -> History:
    return worked_day(tmp_path)


def add(column: str, amount: Decimal, **cells):
    def change(rows: pa.Table) -> pa.Table:
        place = place_of(rows, **cells)
        return with_value(rows, place, column, rows[column][place].as_py() + amount)

    return change


# -- a day -----------------------------------------------------------------------------------------


def test_the_worked_days_roll_ups_agree_and_what_one_grain_lacks_is_named(history: History):
    gate = of_day(history, 1)
    assert gate.passed
    requests = line(gate, REQUEST_HOURS)
    assert {name: f"{amount}" for name, amount in requests.named.items()} == REQUESTS_OF_DAY
    assert requests.finer + sum(requests.named.values()) == requests.coarser == Decimal("50.26")
    assert line(gate, LEDGER_BILL).finer == line(gate, BILL_HOURS).coarser == requests.coarser
    # nothing in this bill is billed by the hour, and that is said
    assert line(gate, BILL_HOURS).named == {"longer_than_an_hour": Decimal("50.26")}


@pytest.mark.parametrize("number", [2, 3, 4])
def test_every_later_state_agrees_with_what_had_landed_by_then(history: History, number: int):
    assert of_day(history, number).passed


def test_hourly_lines_add_up_by_their_hours(fresh: History):
    for hour, amount in ((3, "1.00"), (4, "2.50"), (23, "0.125")):
        start = f"2026-10-05T{hour:02}:00:00Z"
        end = f"2026-10-05T{hour + 1:02}:00:00Z" if hour < 23 else "2026-10-06T00:00:00Z"
        fresh.billed(ZONE, ChargePeriodStart=start, ChargePeriodEnd=end, BilledCost=amount)
    fresh.record()
    gate = of_day(fresh)
    assert gate.passed
    found = line(gate, BILL_HOURS)
    assert found.finer == Decimal("3.625")
    assert found.named == {"longer_than_an_hour": Decimal("50.26")}
    assert gate.facts["hours of the bill"] == 3


def test_charges_before_the_first_day_are_a_named_line(fresh: History):
    fresh.billed(ZONE, ChargePeriodStart="2026-10-03T10:00:00Z",
                 ChargePeriodEnd="2026-10-03T11:00:00Z", BilledCost="0.33")  # fmt: skip
    fresh.record()
    gate = of_day(fresh)
    assert gate.passed
    assert line(gate, BILL_HOURS).named["outside_range"] == Decimal("0.33")
    assert of_month(fresh).passed


def test_tenants_whom_only_the_label_of_their_workload_names_are_in_both_grains(fresh: History):
    spans = fresh.folder / "spans" / "traces.jsonl"
    spans.write_text(spans.read_text().replace("attribution.tenant_id", "app.customer"))
    fresh.record()
    named = fresh.house().lake.read("operations", DAY, DAY, ["tenant_id", "identity_source"])
    assert {"tenant_id": "tenant-a", "identity_source": "workload"} in named.to_pylist()
    assert of_day(fresh).passed


def test_request_costs_that_sum_to_another_amount_are_named_with_tenant_and_service(
    history: History,
):
    rows = history.house().lake.read("ledger", DAY, DAY)
    row = place_of(rows, basis="operations", tenant_id="tenant-a")
    dearer = add("billed_cost", CENT, attribution_id=rows["attribution_id"][row].as_py())
    history.record_otherwise({"operation_costs": dearer}, said={"output": {"content_digest": "x"}})
    gate = of_day(history)
    assert not gate.passed
    (group,) = gate.apart
    assert (group.pair, group.billed_cost, group.effective_cost) == (REQUEST_HOURS, -CENT, 0)
    assert group.tenant == "tenant-a"
    assert group.service in ("Amazon Bedrock", "Amazon Elastic Compute Cloud")
    named = f"{group.tenant} {group.service} differs by billed -0.010000000000"
    assert named in gate.line()


def test_a_row_whose_requests_are_another_tenants_is_named_though_every_sum_agrees(
    history: History,
):
    def swapped(rows: pa.Table) -> pa.Table:
        """Two tenants' rows of one charge, each under the other's name."""
        here = place_of(rows, basis="operations", tenant_id="tenant-a", component="workload")
        charge = rows["charge_id"][here].as_py()
        there = place_of(rows, basis="operations", tenant_id="tenant-b", charge_id=charge)
        rows = with_value(rows, here, "tenant_id", "tenant-b")
        return with_value(rows, there, "tenant_id", "tenant-a")

    history.record_otherwise({"ledger": swapped})
    gate = of_day(history)
    assert {group.tenant for group in gate.apart} == {"tenant-a", "tenant-b"}
    assert {group.pair for group in gate.apart} == {REQUEST_HOURS}


def test_a_request_that_its_evidence_does_not_know_is_missing_money(history: History):
    history.record_otherwise(inputs={"operations": {"operations": lambda rows: rows.slice(1)}})
    gate = of_day(history)
    assert not gate.passed
    assert {group.pair for group in gate.apart} == {REQUEST_HOURS}


def test_a_ledger_row_of_another_amount_parts_ledger_and_bill(history: History):
    history.record_otherwise({"ledger": add("effective_cost", CENT, basis="driver")})
    gate = of_day(history)
    assert {group.pair for group in gate.apart} == {LEDGER_BILL}
    assert line(gate, LEDGER_BILL, "effective_cost").difference == -CENT


def test_charges_that_were_never_delivered_part_hours_and_day(fresh: History):
    fresh.billed(ZONE, ChargePeriodStart="2026-10-05T03:00:00Z",
                 ChargePeriodEnd="2026-10-05T04:00:00Z", BilledCost="1.00")  # fmt: skip
    fresh.record()
    hourly = {"ServiceName": "Amazon Route 53", "ChargePeriodEnd": _hour(4)}
    fresh.record_otherwise(inputs={"billing": {"charges": add("billed_cost", CENT, **hourly)}})
    gate = of_day(fresh)
    # the charges are in two pairs: the bill by hour, and the ledger against the bill
    assert {group.pair for group in gate.apart} == {BILL_HOURS, LEDGER_BILL}
    assert line(gate, BILL_HOURS).difference == CENT


def _hour(hour: int):
    from datetime import UTC, datetime

    return datetime(2026, 10, 5, hour, tzinfo=UTC)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_requests_of_a_held_period_are_a_named_line(held: History, number: int):
    gate = of_day(held, number)
    assert gate.passed
    assert line(gate, REQUEST_HOURS).named["held"] > 0


def test_a_landed_bill_that_was_changed_is_refused_by_name(history: History):
    found = history.house().landed.files("billing")[0]
    path = history.damage({"path": found.path})
    with pytest.raises(Refusal, match=path.name):
        of_day(history)


# -- a month ---------------------------------------------------------------------------------------


def test_days_add_up_to_the_billing_period_as_it_was_delivered(history: History):
    gate = of_month(history)
    assert gate.passed
    assert gate.subject == "2026-10"
    # the correction of October's meter is billed in November
    assert line(gate, BILL_DAYS).finer == line(gate, BILL_DAYS).coarser == Decimal("52.03")
    assert line(of_month(history, date(2026, 11, 1)), BILL_DAYS).coarser == Decimal("-1")


def test_slices_after_the_newest_recorded_day_are_not_yet_due(fresh: History):
    fresh.billed(VECTORS, ChargePeriodEnd="2026-10-09T00:00:00Z", BilledCost="8.00")
    fresh.record()
    gate = of_month(fresh)
    assert gate.passed
    assert line(gate, BILL_DAYS).named == {"not_yet_due": Decimal("6.00")}
    assert line(gate, LEDGER_DAYS).named == {"not_yet_due": Decimal("6.00")}


def test_a_day_that_nobody_recorded_is_a_named_line(fresh: History):
    fresh.billed(VECTORS, ChargePeriodEnd="2026-10-09T00:00:00Z", BilledCost="8.00")
    fresh.record()
    fresh.now += timedelta(days=7)
    record_day(fresh.house(), DAY + timedelta(days=2))
    gate = of_month(fresh)
    assert gate.passed
    assert line(gate, LEDGER_DAYS).named == {
        "not_recorded": Decimal("2.00"),
        "not_yet_due": Decimal("2.00"),
    }
    assert gate.facts == {"recorded days": 2}


def test_a_bill_that_moved_since_its_day_was_recorded_is_a_named_line(history: History):
    from attribution_pipeline.sources.landing import land

    rewrite(history.folder / "billing" / "focus.csv", ",7.77,111122223333", ",8.00,111122223333")
    house = history.house()
    land(house.sources, house.landed)
    gate = of_month(history)
    assert gate.passed
    assert line(gate, LEDGER_DAYS).named == {"moved_since": Decimal("0.23")}


def test_a_ledger_row_of_another_amount_is_no_bill_that_moved(history: History):
    history.record_otherwise({"ledger": add("billed_cost", CENT, basis="driver")})
    gate = of_month(history)
    assert line(gate, LEDGER_DAYS).difference == -CENT
    assert LEDGER_DAYS in {group.pair for group in gate.apart}
    assert BILL_DAYS not in {group.pair for group in gate.apart}
    assert "2026-10  roll-ups disagree" in gate.line()


def test_request_costs_of_another_amount_part_requests_and_ledger_of_the_month(history: History):
    history.record_otherwise(
        {"operation_costs": add("effective_cost", -CENT)}, said={"output": {"content_digest": "x"}}
    )
    gate = of_month(history)
    assert {group.pair for group in gate.apart} == {REQUEST_DAYS}
