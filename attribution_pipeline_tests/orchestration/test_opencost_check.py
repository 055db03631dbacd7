"""The check ``opencost_gates`` on a recorded day: a line for each known fault, and what to do."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from attribution_pipeline.attribution.opencost_gates.register import REGISTER
from attribution_pipeline.cli import app
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay, ask
from attribution_pipeline.orchestration.checks.opencost import opencost_gates
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.orchestration.deployments import DAY, record_otherwise


def answer(house: House) -> Answer:
    return ask(opencost_gates, RecordedDay(House(house.deployment), DAY))


def rows(answer: Answer, table: str) -> list[dict[str, Any]]:
    return [record.data for record in answer.metadata[table].records]


def answers_of(house: House) -> Path:
    return house.deployment.storage_folder.parent / "opencost"


def land_again(house: House) -> House:
    there = House(house.deployment)
    land(there.sources, there.landed)
    return House(house.deployment)


def test_the_worked_day_has_a_line_for_every_entry_and_none_noticed(house: House) -> None:
    found = answer(house)
    assert (found.passed, found.metadata["noticed"]) == (True, 0)
    lines = rows(found, "gates")
    assert [line["item"] for line in lines] == [str(item.number) for item in REGISTER]
    assert {line["result"] for line in lines} == {"passed", "by design"}
    assert lines[0]["issues"] == "#3620, #3113"
    shown = gates_of(house)
    assert shown.exit_code == 0, shown.output
    assert "duplicate_node" in shown.stdout
    assert "OpenCost beside the bill" in shown.stdout


def test_opencosts_cost_stands_beside_the_bill_for_every_node_type(house: House) -> None:
    (row,) = rows(answer(house), "opencost_against_bill")
    assert (row["node_type"], row["opencost"], row["opencost_over_bill"]) == (
        "g5.xlarge", "24.00000", "1.1111"
    )  # fmt: skip


def test_a_finding_names_its_issue_its_subject_and_its_remedy(house: House) -> None:
    output = house.lake.manifest(DAY)["output"]
    output["findings"] = [
        {"check": "gpu_rate", "severity": "warn", "subject": "prod/node-1", "detail": "thrice"},
        {"check": "mixed_unit_scale", "severity": "error", "subject": "prod/node-2", "detail": "x"},
        {"check": "day_without_bill", "severity": "warn", "subject": "nobody's", "detail": "here"},
    ]
    record_otherwise(house, manifest={"output": output, "kernel": "defect"})
    found = answer(house)
    assert not found.passed
    assert found.metadata["noticed"] == 2
    assert (
        "2 of 21 gates noticed something: gpu_rate, against_the_bill. First against_the_bill"
        in (found.description)
    )
    assert "(#3894, #2162" in found.description
    assert "prod/node-2: x. A price that is off by 24" in found.description


def test_an_error_for_an_answer_is_noticed_and_named(house: House) -> None:
    (answers_of(house) / "later.json").write_text(
        '{"code":500,"status":"","data":null,"message":"Error: context deadline exceeded"}'
    )
    found = answer(land_again(house))
    (line,) = [row for row in rows(found, "gates") if row["result"] == "noticed"]
    assert (line["gate"], line["worst"]) == (
        "timeouts", "prod: objects that are no answer, of whatever day: 1 error_answer"
    )  # fmt: skip


def test_two_prices_of_a_node_show_tenant_totals_with_and_without_the_filter(house: House) -> None:
    """opencost/opencost#3620, from OpenCost's answer to the check."""
    file = answers_of(house) / "assets.json"
    said = json.loads(file.read_text())
    ((key, node),) = said["data"].items()
    costs = {name: node[name] * 40 for name in ("cpuCost", "gpuCost", "ramCost", "totalCost")}
    said["data"][key + "-again"] = {**node, **costs, "nodeType": ""}
    file.write_text(json.dumps(said))
    before = {row["tenant_id"]: row for row in recorded_by_tenant(house)}
    record_day(land_again(house), DAY)
    found = answer(house)
    assert not found.passed
    assert "First duplicate_node (#3620, #3113) at prod/node-1" in found.description
    totals = {row["tenant"]: row for row in rows(found, "tenant_totals")}
    assert set(totals) > {"tenant-a", "(unallocated)"}
    amounts = {
        tenant: {name: Decimal(row[name].replace(",", "")) for name in IDENTITIES}
        for tenant, row in totals.items()
    }
    for tenant, amount in amounts.items():
        # at the filled price the day is what it was without the second identity
        assert amount["filled"] == before[None if tenant == "(unallocated)" else tenant]["cost"]
        assert amount["recorded"] != amount["filled"]
    shown = gates_of(house)
    assert shown.exit_code == 1
    assert "Tenant totals with and without the filter" in shown.stdout
    assert (
        "  error  prod/node-1: instance_type empty prices it at 960.00000, filled at 24.00000"
        in shown.stdout
    )
    # forty times too high, nearly all of the node is idle, which the policy divides another way
    assert amounts["tenant-a"]["empty"] != amounts["tenant-a"]["filled"]
    assert len({sum(amount[name] for amount in amounts.values()) for name in IDENTITIES}) == 1


def gates_of(house: House) -> Result:
    config = house.deployment.storage_folder.parent / "attribution.yaml"
    return CliRunner().invoke(app, ["gates", str(DAY), "--config", str(config)])


IDENTITIES = ("recorded", "filled", "empty")


def recorded_by_tenant(house: House) -> list[dict[str, Any]]:
    metric = RecordedDay(house, DAY).policy.settlement.metric
    ledger = house.lake.read("ledger", DAY, DAY, ["tenant_id", metric])
    summed = ledger.group_by("tenant_id").aggregate([(metric, "sum")])
    return summed.rename_columns({f"{metric}_sum": "cost"}).to_pylist()
