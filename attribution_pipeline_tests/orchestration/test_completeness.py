"""Completeness in Dagster: disclosed beside the totals, its checks warn, its sums are kept."""

from __future__ import annotations

import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.assets.completeness import disclosed_of
from attribution_pipeline.orchestration.checks.completeness import QUESTIONS
from attribution_pipeline.orchestration.completeness import FOLDER, month_to_date, of_days
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.proof.completeness import FIELDS
from attribution_pipeline.views import completeness as view
from attribution_pipeline_tests.orchestration.deployments import (
    DAY,
    place_of,
    record_otherwise,
    rewrite,
    with_value,
)

METRIC = "effective_cost"
BEDROCK = "Amazon Web Services / anthropic.claude-sonnet / model_inference, USD"


def kept(house: House) -> list[Path]:
    return sorted((house.lake.storage / FOLDER).glob("*.json"))


def test_open_rows_are_in_the_denominator_and_slices_sum_to_the_ledger(house: House) -> None:
    found = of_days(house, [DAY], METRIC)
    by_name = {one.route.name: one for one in found.slices}
    bedrock = by_name[BEDROCK]
    # 15.20 of the meters, corrections included; 3.075 open, 1.16 of a call without tenant
    assert bedrock.total.cost == Decimal("15.2")
    assert bedrock.share("tenant").whole - bedrock.share("tenant").part == Decimal("4.235")
    assert bedrock.segmentation().text == "0.721381578947"
    assert bedrock.share("usage").part == Decimal("12.125")
    assert bedrock.share("tenant", "tokens").text == "0.7"
    ledger = house.lake.read("ledger", DAY, DAY, [METRIC])[METRIC].to_pylist()
    (total,) = found.totals
    assert total.total.cost == sum(ledger)
    assert total.total.records == 53 + 0, "no row of the worked day has more than one request"


def test_charges_from_before_the_first_day_are_in_no_share_of_what_is_known(house: House) -> None:
    def of_an_earlier_day(rows: pa.Table) -> pa.Table:
        place = place_of(rows, unallocated_reason="unmatched_charge")
        return with_value(rows, place, "unallocated_reason", "outside_range")

    (before,) = of_days(house, [DAY], METRIC).totals
    record_otherwise(house, tables={"ledger": of_an_earlier_day})
    (after,) = of_days(House(house.deployment), [DAY], METRIC).totals
    assert before.total.cost - after.total.cost == Decimal("0.5")
    assert before.actors().whole - after.actors().whole == Decimal("0.5")
    assert before.actors().part == after.actors().part


def test_a_day_without_requests_has_no_slice_to_judge(house: House) -> None:
    disclosed = disclosed_of(house, DAY)
    nothing = type(disclosed)(
        disclosed.policy, of_days(house, [], METRIC), of_days(house, [], METRIC)
    )
    for question in QUESTIONS.values():
        answer = question(nothing)
        assert not answer.passed
        assert answer.description.startswith("no_evidence")
    assert "no_evidence" in view.markdown(nothing.day)


def test_a_slice_below_its_slo_trips_the_check_and_is_named(house: House) -> None:
    answers = {name: question(disclosed_of(house, DAY)) for name, question in QUESTIONS.items()}
    segmentation = answers["segmentation_completeness"]
    assert not segmentation.passed
    assert f"in 1 of 1 slices, lowest 72.13 % for {BEDROCK}" in segmentation.description
    assert segmentation.metadata["threshold"] == "99.00 %"
    actors = answers["actor_coverage"]
    assert not actors.passed
    assert "in 3 of 3 slices, lowest 0.00 %" in actors.description


def test_checks_follow_the_policys_slo(house: House) -> None:
    disclosed = disclosed_of(house, DAY)
    slo = disclosed.policy.slo.model_copy(
        update={
            "segmentation_completeness": Decimal("0.721381578947"),
            "actor_coverage": Decimal(0),
        }
    )
    lax = type(disclosed)(
        disclosed.policy.model_copy(update={"slo": slo}), disclosed.day, disclosed.month
    )
    assert all(question(lax).passed for question in QUESTIONS.values())


def test_a_days_sums_are_kept_and_made_again_where_they_are_damaged(house: House) -> None:
    first = of_days(house, [DAY], METRIC)
    (file,) = kept(house)
    # read from what is kept: the ledger's files are not opened a second time
    shutil.move(house.lake.storage / "ledger", house.lake.storage / "ledger-away")
    (house.lake.storage / "ledger").mkdir()
    shutil.copytree(
        house.lake.storage / "ledger-away" / "_delta_log",
        house.lake.storage / "ledger" / "_delta_log",
    )
    assert of_days(House(house.deployment), [DAY], METRIC) == first
    shutil.rmtree(house.lake.storage / "ledger")
    shutil.move(house.lake.storage / "ledger-away", house.lake.storage / "ledger")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert of_days(House(house.deployment), [DAY], METRIC) == first


def test_a_month_to_date_adds_its_days_and_no_other(three_days_once: Path, tmp_path: Path) -> None:
    from attribution_pipeline.config import load_deployment

    folder = shutil.copytree(three_days_once, tmp_path / "days")
    house = House(load_deployment(folder / "attribution.yaml"))
    days = [DAY + timedelta(n) for n in range(3)]
    month = month_to_date(house, days[2], METRIC)
    assert month.days == days
    each = [of_days(house, [day], METRIC) for day in days]
    assert month.totals[0].total.cost == sum(
        total.total.cost for one in each for total in one.totals
    )
    assert month_to_date(house, days[0], METRIC) == each[0]


def test_the_views_publish_null_rates_beside_the_total_and_escape_names(house: House) -> None:
    found = of_days(house, [DAY], METRIC)
    text = view.markdown(found)
    assert "**Coverage in %, by cost (effective_cost) / by count**" in text
    assert "**Null rate in %, by cost (effective_cost) / by count**" in text
    assert f"72.13{view.TOGETHER}62.50" in text
    assert f"27.86{view.TOGETHER}37.50" in text
    assert text.count("**46.96**") == 2, "the ledger's own total, in both tables"
    assert len(view.records(found)) == (len(found.slices) + len(found.totals)) * len(FIELDS)
    assert view.markdown_cell("a|b`<c>\n") == "a\\|b\\`&lt;c>\\\\u000a"


def test_the_asset_shows_both_tables_and_its_checks_warn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = build_defs(house.deployment)
    result = definitions.resolve_job_def("late_days").execute_in_process(
        partition_key=DAY.isoformat(),
        asset_selection=[dg.AssetKey("completeness")],
        raise_on_error=False,
    )
    assert result.success
    (event,) = result.get_asset_materialization_events()
    shown: dict[str, Any] = dict(event.materialization.metadata)
    assert shown["total_USD"].value == "46.96"
    assert "Null rate" in shown["completeness"].value
    assert "Null rate" in shown["month_to_date"].value
    checks = {found.check_name: found for found in result.get_asset_check_evaluations()}
    assert set(checks) == set(QUESTIONS)
    assert {found.severity for found in checks.values()} == {dg.AssetCheckSeverity.WARN}
    assert not any(found.passed for found in checks.values())


def test_scorecard_and_triage_are_assets_with_their_verdicts(house: House) -> None:
    """In no daily run; a FAIL is a result, not a failed run."""
    definitions = build_defs(house.deployment)
    daily = definitions.resolve_job_def("daily").asset_layer.executable_asset_keys
    assert not {dg.AssetKey("scorecard"), dg.AssetKey("triage")} & set(daily)
    result = definitions.resolve_job_def("score").execute_in_process(raise_on_error=False)
    assert result.success
    shown = {
        event.materialization.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    assert shown["scorecard"]["verdict"].value == "FAIL"
    assert "| C1 | FAIL | Amazon Web Services" in shown["scorecard"]["verdicts"].value
    assert shown["triage"]["stopped_at"].value == "P1"
    assert shown["triage"]["not_asked"].value == ["P2", "P3"]


def test_a_day_whose_completeness_fails_is_recorded_and_says_so(
    deployment_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.model.errors import Refusal
    from attribution_pipeline.orchestration.assets import completeness as asset
    from attribution_pipeline.orchestration.run import run_days

    def refuse(*_: Any) -> None:
        raise Refusal("a file was changed", where="ledger/x.parquet")

    monkeypatch.setattr(asset, "disclosed_of", refuse)
    (outcome,) = run_days(load_deployment(deployment_file), DAY, DAY).days
    assert outcome.status == "recorded"
    assert outcome.notes == [
        "2026-10-05 is recorded, its completeness is not disclosed: ledger/x.parquet: a file was "
        "changed"
    ]


def test_an_slo_of_another_version_is_the_days_own(house: House) -> None:
    """A day is held against the policy that it was recorded under, not the newest file."""
    folder = house.deployment.policies_folder
    newer = folder / "policy-2.yaml"
    shutil.copy(folder / "policy-1.yaml", newer)
    rewrite(newer, "version: 1", "version: 2\nslo: {segmentation_completeness: 0.5}")
    assert disclosed_of(House(house.deployment), DAY).policy.version == 1
