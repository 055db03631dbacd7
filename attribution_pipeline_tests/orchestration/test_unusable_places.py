"""Places that cannot be used give one line, not a stack."""

from __future__ import annotations

import shutil

from typer.testing import CliRunner

from attribution_pipeline.cli import app
from attribution_pipeline_tests.cases import WORKED_DAY

RUN = ["run", "--from", "2026-10-05"]


def run(folder, **environment):
    config = str(folder / "attribution.yaml")
    return CliRunner().invoke(app, [*RUN, "--config", config], env=environment)


def test_a_file_where_the_lake_should_be_is_one_line(tmp_path):
    folder = tmp_path / "day"
    shutil.copytree(WORKED_DAY, folder)
    (folder / "lake").write_text("no folder")
    found = run(folder)
    assert found.exit_code == 2
    assert "not a directory" in found.output
    assert len(found.output.strip().splitlines()) == 1


def test_a_dagster_home_that_does_not_exist_is_one_line(tmp_path):
    folder = tmp_path / "day"
    shutil.copytree(WORKED_DAY, folder)
    found = run(folder, DAGSTER_HOME=str(tmp_path / "nowhere"))
    assert found.exit_code == 2
    assert "$DAGSTER_HOME" in found.output
    assert len(found.output.strip().splitlines()) == 1


def test_a_broken_delta_log_is_named(tmp_path):
    folder = tmp_path / "day"
    shutil.copytree(WORKED_DAY, folder)
    assert run(folder).exit_code == 0
    for log in (folder / "lake" / "ledger" / "_delta_log").glob("*.json"):
        log.write_bytes(b"\x00" * 50)
    config = str(folder / "attribution.yaml")
    found = CliRunner().invoke(app, ["ledger", "--config", config])
    assert found.exit_code == 2
    assert "_delta_log" in found.output
