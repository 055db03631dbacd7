"""Every check has a recorded day that trips it, and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.orchestration.checks import alerts
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay, ask
from attribution_pipeline.orchestration.checks.on_ledger import ALERTING, BLOCKING
from attribution_pipeline.orchestration.day_changes import without_bill
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.measuring import figures
from attribution_pipeline.orchestration.policy_diff import WITHOUT_BILL
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline_tests.orchestration.deployments import (
    DAY,
    place_of,
    record_otherwise,
    rewrite,
    with_value,
)

QUANTUM = Decimal("0.000000000001")
AGAIN = "run it again: attribution run --from 2026-10-05 --to 2026-10-05"


def answers(house: House) -> dict[str, Answer]:
    recorded = RecordedDay(House(house.deployment), DAY)
    return {name: ask(question, recorded) for name, question in {**BLOCKING, **ALERTING}.items()}


def failing(house: House) -> set[str]:
    return {name for name, answer in answers(house).items() if not answer.passed}


GAPS = {"telemetry_coverage", "unallocated_share"}
"""What the worked day lacks by itself: spans of a quarter of its input tokens."""


def a_quantum_more(**cells: Any) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        place = place_of(rows, **cells)
        more = rows["billed_cost"][place].as_py() + QUANTUM
        return with_value(rows, place, "billed_cost", more)

    return change


def test_the_worked_day_passes_every_check_but_those_of_its_gaps(house: House) -> None:
    assert failing(house) == GAPS


def test_a_quantum_too_much_trips_conservation(house: House) -> None:
    record_otherwise(house, tables={"ledger": a_quantum_more(service="Amazon Route 53")})
    found = answers(house)
    assert {name for name, answer in found.items() if not answer.passed} == {
        "conservation_per_charge",
        "conservation_per_invoice",
        "normalization_gate",
        *GAPS,
    }
    assert "0.500000000001" in found["conservation_per_charge"].description
    assert AGAIN in found["conservation_per_charge"].description
    assert "(not invoiced yet)" in found["conservation_per_invoice"].description


def test_a_quantum_moved_between_costs_of_one_invoice_trips_the_charge_alone(
    house: House,
) -> None:
    def move(rows: pa.Table) -> pa.Table:
        more = a_quantum_more(service="Amazon Route 53")(rows)
        place = place_of(rows, service="Amazon Simple Storage Service")
        return with_value(more, place, "billed_cost", rows["billed_cost"][place].as_py() - QUANTUM)

    record_otherwise(house, tables={"ledger": move})
    assert failing(house) == {"conservation_per_charge", "normalization_gate", *GAPS}


def test_a_difference_in_the_tie_out_trips_the_day(house: House) -> None:
    output = house.lake.manifest(DAY)["output"]
    output["tie_out"][0]["difference"] = "0.000000000001"
    record_otherwise(house, manifest={"output": output, "kernel": "defect"})
    answer = answers(house)["conservation_per_day"]
    assert not answer.passed
    assert "billed_cost USD by 0.000000000001" in answer.description


def test_a_node_that_does_not_add_up_trips_the_tie_back(house: House) -> None:
    record_otherwise(house, tables={"ledger": a_quantum_more(component="idle")})
    assert "tie_back_to_nodes" in failing(house)


def test_a_lost_request_trips_the_request_level_sums(house: House) -> None:
    record_otherwise(house, tables={"operation_costs": lambda rows: rows.slice(1)})
    assert failing(house) == {"request_level_sums", "normalization_gate", *GAPS}


def test_a_row_without_tenant_and_without_reason_trips_evidence(house: House) -> None:
    def forget(rows: pa.Table) -> pa.Table:
        place = place_of(rows, component="direct", tenant_id="tenant-a")
        return with_value(rows, place, "tenant_id", None)

    record_otherwise(house, tables={"ledger": forget})
    assert failing(house) == {"tenant_only_on_evidence", "normalization_gate", *GAPS}


def test_a_tenant_that_its_calls_do_not_have_trips_evidence(house: House) -> None:
    def rebind(rows: pa.Table) -> pa.Table:
        place = place_of(rows, component="direct", tenant_id="tenant-a")
        return with_value(rows, place, "tenant_id", "tenant-x")

    record_otherwise(house, tables={"ledger": rebind})
    assert "tenant_only_on_evidence" in failing(house)


def test_a_call_whose_envelope_failed_and_that_has_a_tenant_trips_evidence(house: House) -> None:
    def believe(rows: pa.Table) -> pa.Table:
        return with_value(rows, place_of(rows, tenant_id="tenant-a"), "verdict", "bad_signature")

    record_otherwise(house, tables={"operations": believe})
    assert failing(house) == {"tenant_only_on_evidence", *GAPS}


def test_a_row_that_stands_twice_trips_identity(house: House) -> None:
    def repeat(rows: pa.Table) -> pa.Table:
        again = rows.slice(place_of(rows, component="shared"), 1)
        for column in ("billed_cost", "effective_cost"):
            again = with_value(again, 0, column, Decimal(0))
        return pa.concat_tables([rows, again])

    record_otherwise(house, tables={"ledger": repeat})
    assert failing(house) == {"one_row_per_attribution_id", *GAPS}


def test_two_contents_of_one_policy_version_trip_the_policy_check(house: House) -> None:
    policy = {**house.lake.manifest(DAY)["policy"], "digest": "e" * 64}
    record_otherwise(house, manifest={"policy": policy})
    answer = answers(house)["one_policy_digest_per_version"]
    assert not answer.passed
    assert "2 contents of worked-day version 1: restore its file" in answer.description


def test_a_table_that_another_engine_rewrote_trips_recorded_files(house: House) -> None:
    from deltalake import DeltaTable

    record_otherwise(house)
    table = DeltaTable(str(house.lake.storage / "operations"))
    table.delete("operation_number is not null")
    assert failing(house) == {"recorded_files", *GAPS}
    answer = answers(house)["recorded_files"]
    assert "operations/_delta_log/00000000000000000003.json" in answer.description
    assert "not as a run writes one" in answer.description


def test_a_changed_file_stops_the_checks_by_name(house: House) -> None:
    ((_, path),) = house.lake.file_paths("ledger", DAY, DAY)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    answer = answers(house)["conservation_per_charge"]
    assert not answer.passed
    assert f"{path.name}: a recorded file was changed" in answer.description


def test_a_broken_record_trips_rejected_records(house: House) -> None:
    usage = house.deployment.storage_folder.parent / "usage" / "usage.csv"
    usage.write_text(usage.read_text() + "2026-10-05,Pinecone,index-main,t,w,query_units,many\n")
    report = run_days(house.deployment, DAY, DAY)
    (alert,) = [line for line in report.alerts if "rejected_records" in line]
    assert "1 records were rejected, 1 of usage as `" in alert
    assert "mend the source, and land again" in alert


def test_coverage_and_unallocated_follow_the_policys_thresholds(house: House) -> None:
    policy = house.deployment.policies_folder / "policy-1.yaml"
    second = policy.with_name("policy-2.yaml")
    slo = "slo: {unallocated_share: 0.2, segmentation_completeness: 0.7, actor_coverage: 0}\n"
    second.write_text(policy.read_text() + slo)
    rewrite(second, "version: 1", "version: 2")
    rewrite(second, "telemetry_coverage: [0.98, 1.02]", "telemetry_coverage: [0.75, 1.02]")
    report = run_days(house.deployment, DAY, DAY)
    assert report.alerts == []
    assert all(check.passed for outcome in report.days for check in outcome.checks)


def test_slices_that_are_billed_without_tokens_trip_coverage_and_name_the_report(
    house: House,
) -> None:
    recorded = RecordedDay(house, DAY)
    output = recorded.manifest["output"]
    within, *outside = sorted(output["coverage"], key=lambda row: row["coverage"], reverse=True)
    assert within["coverage"] == "1.000000"
    assert len(outside) == 2
    unknown = {**within, "billed_tokens": None, "coverage": None}
    unseen = {**unknown, "seen_tokens": 0}
    for others in ([], outside):
        output["coverage"] = [unknown, unseen, *others]
        answer = alerts.telemetry_coverage(recorded)
        assert not answer.passed
        assert answer.metadata["without_billed_tokens"] == 1
        slices = len(others) + 2
        assert (
            f"1 of {slices} slices are billed without tokens (aws.bedrock anthropic.claude-sonnet): all of "
            "their cost is on the calls that were seen" in answer.description
        )
        assert "Deliver the vendor's usage report beside its costs (OpenAI: " in answer.description
        assert ("lowest 0.750000" in answer.description) == bool(others)


def test_charges_from_before_the_first_day_are_in_no_share_of_what_is_unallocated(
    house: House,
) -> None:
    asked = answers(house)["unallocated_share"]

    def of_an_earlier_day(rows: pa.Table) -> pa.Table:
        place = place_of(rows, unallocated_reason="unmatched_charge")
        return with_value(rows, place, "unallocated_reason", "outside_range")

    record_otherwise(house, tables={"ledger": of_an_earlier_day})
    (cost,) = [
        row["effective_cost"]
        for row in house.lake.read("ledger", DAY, DAY).to_pylist()
        if row["unallocated_reason"] == "outside_range"
    ]
    (row,) = [
        row
        for row in house.lake.manifest(DAY)["output"]["tie_out"]
        if row["cost"] == "effective_cost"
    ]
    part, whole = Decimal(row["unallocated"]) - cost, Decimal(row["billed"]) - cost
    found = answers(house)["unallocated_share"]
    assert cost > 0
    assert found.metadata["unallocated_share"] == f"{part / whole * 100:.2f} %"
    assert found.metadata["unallocated_share"] != asked.metadata["unallocated_share"]
    assert found.description.endswith(
        f" Beside it {cost:.2f} USD of charges from before the first recorded day is booked on it."
    )
    (measured,) = [
        one for one in figures(House(house.deployment)) if one.name == "unallocated_ratio"
    ]
    assert dict(measured.values)[(str(DAY),)] == pytest.approx(float(part / whole))


def test_a_day_of_a_month_of_which_no_bill_landed_says_so(house: House) -> None:
    output = house.lake.manifest(DAY)["output"]
    finding = {"check": WITHOUT_BILL, "severity": "warn", "subject": "it", "detail": "no charge"}
    told = []
    for day in (DAY, date(2026, 12, 18)):  # the bill that landed is of October
        said = {"output": {**output, "findings": [finding]}, "kernel": "defect"}
        record_otherwise(house, manifest=said, day=day)
        again = House(house.deployment)
        head = again.lake.head(day)
        assert head is not None
        told.append(without_bill(again, head))
    assert told[0] == ""
    assert told[1].startswith("no bill has landed for 2026-12-18, nor for any day of its month: ")
    assert "recorded under policy version 1" in told[1]


def test_a_finding_of_a_plane_trips_the_evidence_gates(house: House) -> None:
    output = house.lake.manifest(DAY)["output"]
    output["findings"] = [
        {
            "check": "duplicate_node_identity",
            "severity": "error",
            "subject": "prod/node-1",
            "detail": "priced twice",
        }
    ]
    record_otherwise(house, manifest={"output": output, "kernel": "defect"})
    answer = alerts.evidence_gates(RecordedDay(House(house.deployment), DAY))
    assert not answer.passed
    assert "duplicate_node_identity), first prod/node-1: priced twice" in answer.description
    assert answer.metadata["errors"] == 1


def test_a_blocking_check_that_fails_fails_the_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution_pipeline.orchestration.checks import on_ledger

    wrong = {**BLOCKING, "request_level_sums": lambda _: Answer(False, "off by one")}
    monkeypatch.setattr(on_ledger, "BLOCKING", wrong)
    report = run_days(house.deployment, DAY, DAY)
    assert report.failures == ["2026-10-05 request_level_sums: off by one"]
