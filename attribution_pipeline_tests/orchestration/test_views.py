"""Views of a day in Dagster: made by the day's run, readable on their page, checked against the ledger."""

from __future__ import annotations

import dagster as dg
import pytest

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.jobs import VIEW_ASSETS
from attribution_pipeline.views.daily import basis, rollups_of, rows_of_day
from attribution_pipeline.views.spend import VIEWS
from attribution_pipeline_tests.orchestration.deployments import DAY

OF_LEDGER = [name for name in VIEWS if name != "business"]


def materialized(house: House, *assets: str) -> dg.ExecuteInProcessResult:
    job = build_defs(house.deployment.path).resolve_job_def("late_days")
    keys = [dg.AssetKey(name) for name in assets]
    return job.execute_in_process(
        asset_selection=keys, partition_key=DAY.isoformat(), raise_on_error=False
    )


def test_a_days_run_leaves_its_rollups_and_a_page_for_each_view(house: House) -> None:
    for table in basis.TABLES:
        state = house.lake.states(DAY)[-1]
        of_day = (
            basis.of_ledger(table, state)
            if table in basis.LEDGER_TABLES
            else basis.of_outcomes(table, house.lake, house.landed, DAY)
        )
        assert rollups_of(house.lake).stands(table, DAY, of_day), "the run has made it"
    result = materialized(house, *VIEW_ASSETS)
    assert result.success
    shown = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert set(shown) == set(VIEW_ASSETS)
    for name in OF_LEDGER:
        table = shown[f"spend_{name}"]["dearest"]
        assert isinstance(table, dg.TableMetadataValue)
        assert table.records or name == "backlog"
        assert shown[f"spend_{name}"]["metric"].value in {one.name for one in table.schema.columns}
    assert shown["spend_daily"]["made"].value == "stood already"
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("rollups_sum_to_the_ledger", True)


def test_a_view_can_be_made_alone(house: House) -> None:
    result = materialized(house, "spend_product")
    (event,) = result.get_asset_materialization_events()
    assert event.asset_key == dg.AssetKey("spend_product")
    assert result.get_asset_check_evaluations() == []


@pytest.mark.parametrize("table", ["spend_daily", "calls_daily"])
def test_a_rollup_that_is_not_its_ledgers_fails_the_check(house: House, table: str) -> None:
    """One that agrees with itself, as a maker with a defect would leave it."""
    rows = rows_of_day(house.lake, table, DAY).slice(1)
    of_day = basis.of_ledger(table, house.lake.states(DAY)[-1])
    totals = {
        "USD": [
            f"{sum(rows['billed_cost'].to_pylist()):f}",
            f"{sum(rows['effective_cost'].to_pylist()):f}",
            str(sum(rows["ledger_rows"].to_pylist())),
        ]
    } if table == "spend_daily" else {}  # fmt: skip
    rollups_of(house.lake).keep(table, DAY, of_day, rows, totals)
    result = materialized(house, "spend_daily")
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert table in (check.description or "")
    assert check.severity == dg.AssetCheckSeverity.ERROR
