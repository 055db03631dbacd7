"""Bills that come late or otherwise, and OpenCost's mistakes about nodes."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from attribution_pipeline.commands.truth_play import arrivals
from attribution_pipeline.simulator import Report, write_company
from attribution_pipeline_tests.simulator import reading
from attribution_pipeline_tests.simulator.conftest import DAYS, SPANS_PER_DAY

Company = tuple[Path, Report]


def played(directory: Path, *faults: str) -> Path:
    write_company(directory, days=DAYS, spans_per_day=SPANS_PER_DAY, faults=faults)
    return directory


def billed(directory: Path) -> dict[tuple[Any, ...], Decimal]:
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in reading.bill(directory):
        key = ("ChargePeriodStart", "ServiceName", "ResourceId", "SkuId", "ChargeClass")
        sums[tuple(row.get(name) for name in key)] += row["EffectiveCost"]
    return sums


def test_restated_bills_come_first_with_other_amounts_and_end_as_they_were(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "restated", "restated_bills")
    final, seen = billed(company[0]), []
    for stage in arrivals(directory):
        seen.append((stage, billed(directory)))
    assert [stage for stage, _ in seen] == ["on time", "restated_bills"]
    assert seen[1][1] == final
    early = seen[0][1]
    changed = sum(early[key] != final[key] for key in early)
    assert 0.15 < changed / len(final) < 0.6
    assert 0 < len(set(final) - set(early)) < 0.2 * len(final)
    sources = {str(key[1]) for key in early if early[key] != final[key]}
    assert {"Amazon Bedrock", "Azure OpenAI", "OpenAI API", "Claude API"} <= sources


def test_corrections_come_last_in_a_period_of_their_own_and_are_told_by_who_used_it(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "corrections", "corrections")
    stages = [(stage, billed(directory)) for stage in arrivals(directory)]
    assert [stage for stage, _ in stages] == ["on time", "corrections"]
    assert not any(key[4] for key in stages[0][1])
    corrected = {key: amount for key, amount in stages[1][1].items() if key[4]}
    assert {key[1] for key in corrected} >= {
        "Amazon Bedrock", "Azure OpenAI", "OpenAI API", "Claude API", "Amazon Elastic Compute Cloud"
    }  # fmt: skip
    assert min(corrected.values()) < 0 < max(corrected.values())
    told: dict[str, Decimal] = defaultdict(Decimal)
    for row in reading.truth(directory):
        if row["charge_class"]:
            told[row["service"]] += row["effective_cost"]
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for key, amount in corrected.items():
        sums[str(key[1])] += amount
    assert told == sums
    untouched = {key: amount for key, amount in stages[1][1].items() if not key[4]}
    assert untouched == {key: amount for key, amount in billed(company[0]).items() if not key[4]}


def test_late_objects_arrive_in_a_stage_of_their_own(tmp_path: Path) -> None:
    directory = played(tmp_path / "late", "late_spans", "restated_bills")
    counts = [(stage, sum(1 for _ in reading.spans(directory))) for stage in arrivals(directory)]
    assert [stage for stage, _ in counts] == ["on time", "late_spans", "restated_bills"]
    assert counts[0][1] < counts[1][1] == counts[2][1] == DAYS * SPANS_PER_DAY
    assert not (directory / "truth" / "held").exists()


def nodes(directory: Path, kind: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, row in reading.snapshot(directory, kind):
        if path.name.endswith("2026-10-05.json") and "__idle__" not in row.get("name", ""):
            found[row["properties"]["providerID"].rpartition("/")[2]].append(row)
    return found


def node_of(directory: Path, what: str) -> str:
    told: dict[str, str] = json.loads((directory / "truth" / "company.json").read_text())
    return told[f"{what}_node"]


def cost(rows: Sequence[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["totalCost"]) for row in rows), Decimal(0))


def reasons(directory: Path, resource: str) -> set[str | None]:
    rows = reading.truth(directory)
    return {row["expected_reason"] for row in rows if row["resource_id"] == resource}


def test_a_node_that_is_told_at_two_prices_is_expected_in_quarantine_and_one_at_one_price_is_not(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "twice", "duplicate_nodes")
    before, after = nodes(company[0], "assets"), nodes(directory, "assets")
    doubled, twinned = node_of(directory, "doubled"), node_of(directory, "twinned")
    assert {node for node, rows in after.items() if len(rows) == 2} == {doubled, twinned}
    for node, least, most in ((doubled, 35, 45), (twinned, 1, Decimal("1.01"))):
        filled, empty = sorted(after[node], key=lambda row: row["nodeType"], reverse=True)
        assert (bool(filled["nodeType"]), empty["nodeType"]) == (True, "")
        assert filled["totalCost"] == before[node][0]["totalCost"]
        assert least < Decimal(empty["totalCost"]) / Decimal(filled["totalCost"]) < most
    ratio = cost(nodes(directory, "allocation")[doubled]) / cost(
        nodes(company[0], "allocation")[doubled]
    )
    assert 39 < ratio < 41, "its pods have the inflated price"
    assert reasons(directory, doubled) == {"quarantined"}
    assert "quarantined" not in reasons(directory, twinned)


def test_a_node_at_another_scale_can_be_divided_and_one_of_mixed_scales_cannot(
    company: Company, tmp_path: Path
) -> None:
    directory = played(tmp_path / "scale", "unit_scale")
    scaled, mixed = node_of(directory, "scaled"), node_of(directory, "mixed")
    times = {}
    for kind in ("assets", "allocation"):
        before, after = nodes(company[0], kind), nodes(directory, kind)
        for node in before:
            times[kind, node] = cost(after[node]) / cost(before[node])
    assert 1 / times["assets", scaled] > 725
    assert 1 / times["allocation", scaled] > 700
    assert times["assets", mixed] == 1
    assert 725 < times["allocation", mixed] < 735
    assert {node for (_, node), found in times.items() if found != 1} == {scaled, mixed}
    assert reasons(directory, mixed) == {"quarantined"}
    assert "quarantined" not in reasons(directory, scaled)

    def bound(root: Path) -> Decimal:
        rows = [r for r in reading.truth(root, "bounds") if r["resource_id"] == scaled]
        return sum((row["effective_cost"] for row in rows), Decimal(0))

    assert bound(directory) > 100 * bound(company[0]), "five decimals of a small number are few"


def test_playing_arrivals_leaves_the_final_state(tmp_path: Path) -> None:
    directory = played(tmp_path / "all", "late_spans", "restated_bills", "corrections")
    before = {p: d for p, d in reading.digest(directory).items() if not p.startswith("truth")}
    for _ in arrivals(directory):
        pass
    after = {p: d for p, d in reading.digest(directory).items() if not p.startswith("truth")}
    assert after == before
    shutil.rmtree(directory)
