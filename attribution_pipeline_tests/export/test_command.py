"""``attribution export focus``: its lines, files and exit statuses; the Dagster asset."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.assets.export import FOCUS_EXPORT
from attribution_pipeline.orchestration.export import FOLDER
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.export.conftest import FullDay
from attribution_pipeline_tests.export.deployments import DAY
from attribution_pipeline_tests.test_cli import refusal, run


def test_the_command_writes_what_it_says(full_day: FullDay, tmp_path: Path):
    config = full_day.house.deployment.path
    done = run("export", "focus", "--config", config, "--out", tmp_path, "--version", "1.4,1.2",
               "--format", "csv", "--to", DAY + timedelta(days=2))  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = len(full_day.rows("1.4"))
    assert done.stdout.splitlines() == [
        f"{DAY} to {DAY}, 1 recorded: {rows} rows of 24 lines of the bill, 1 of them undivided",
        f"wrote {tmp_path}/focus-1.4: FOCUS 1.4, 1 files and metadata.json",
        f"wrote {tmp_path}/focus-1.2: FOCUS 1.2, 1 files and metadata.json",
    ]
    assert done.stderr.splitlines() == [
        "not recorded, so not in this: 2 days: 2026-10-06 to 2026-10-07",
        "a derived dataset: never add it to the bill that it is made of",
    ]
    name = f"focus-1.4/cost-and-usage-{DAY}.csv"
    assert (tmp_path / name).read_bytes() == (full_day.out / name).read_bytes()


def test_versions_may_be_named_one_by_one(full_day: FullDay, tmp_path: Path):
    config = full_day.house.deployment.path
    done = run("export", "focus", "--config", config, "--out", tmp_path, "--format", "csv",
               "--version", "1.4", "--version", "1.2")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert sorted(one.name for one in tmp_path.iterdir()) == ["focus-1.2", "focus-1.4"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--version", "1.5"], "--version: `1.5` is unknown; use 1.2, 1.3, 1.4"),
        (["--format", "json"], "--format: `json` is unknown; use parquet, csv"),
        (["--billing-period", "October"], "write YYYY-MM"),
        (["--from", "2026-10-09"], "no day from 2026-10-09"),
        (["--as-of", "2026-10-01"], "no day from"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(
    full_day: FullDay, tmp_path: Path, options: list[str], said: str
):
    config = full_day.house.deployment.path
    out = tmp_path / "out"
    assert said in refusal("export", "focus", "--config", config, "--out", out, *options)
    assert not out.exists()


def test_a_shape_or_a_folder_that_is_missing_is_said(tmp_path: Path):
    assert "--out DIR" in refusal("export", "focus")
    assert "`csv` is no shape" in refusal("export", "csv", "--out", tmp_path)


def test_the_asset_exports_its_day_and_is_in_no_daily_run(full_day: FullDay, own: House):
    definitions = build_defs(own.deployment)
    daily = definitions.resolve_job_def("daily").asset_layer.executable_asset_keys
    assert dg.AssetKey(FOCUS_EXPORT) not in set(daily)
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        partition_key=DAY.isoformat(), asset_selection=[dg.AssetKey(FOCUS_EXPORT)]
    )
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows"].value == len(full_day.rows("1.4"))
    name = f"focus-1.3/cost-and-usage-{DAY}.parquet"
    assert (own.deployment.storage_folder / FOLDER / str(DAY) / name).read_bytes() == (
        full_day.out / name
    ).read_bytes()
