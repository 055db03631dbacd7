"""``attribution run`` on the worked day: Dagster, without a server, to the last quantum."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline.orchestration.run_report import CheckOutcome, DayOutcome, RunReport
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.test_cli import refusal, run

DAY = "2026-10-05"


@pytest.fixture(autouse=True)
def _no_dagster_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are nobody's history."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the worked day after its run, and what the run printed."""
    folder = tmp_path_factory.mktemp("worked") / "day"
    shutil.copytree(WORKED_DAY, folder)
    result = run("run", "--config", folder / "attribution.yaml", "--from", DAY, "--to", DAY)
    assert result.exit_code == 0, result.output
    return folder, result.stdout


def test_run_ends_in_a_tie_out_whose_difference_is_zero_in_full(
    recorded: tuple[Path, str],
) -> None:
    table = recorded[1].split("\n\n")[-1].splitlines()
    lines = {line[:11].strip(): line[11:].split() for line in table}
    assert lines["billed"] == ["50.260000000000", "46.960000000000"]
    assert lines["difference"] == ["0.000000000000", "0.000000000000"]
    parts = [cells for name, cells in lines.items()
             if name not in ("", "billed", "difference") and not name.startswith("-")]  # fmt: skip
    for place, billed in enumerate(lines["billed"]):
        assert sum(Decimal(cells[place]) for cells in parts) == Decimal(billed)


def test_run_tells_what_landed_and_how_each_day_went(recorded: tuple[Path, str]) -> None:
    said = recorded[1].splitlines()
    assert any(line.startswith("billing bill: objects 1 new") for line in said)
    assert any(line.startswith(f"{DAY}  recorded") for line in said)


def test_ledger_command_prints_the_worked_day_row_by_row_to_the_quantum(
    recorded: tuple[Path, str],
) -> None:
    expected = (WORKED_DAY / "expected_ledger.csv").read_text()
    columns = next(csv.reader(io.StringIO(expected)))
    keys = [name for name in columns if not name.endswith("_cost")]
    result = run(
        "ledger", "--config", recorded[0] / "attribution.yaml", "--by", ",".join(keys),
        "--format", "csv",
    )  # fmt: skip
    assert _rows(result.stdout, columns) == _rows(expected, columns)


def _rows(text: str, columns: list[str]) -> list[tuple[str, ...]]:
    records = csv.DictReader(io.StringIO(text))
    return sorted(tuple(record[name] for name in columns) for record in records)


def test_policy_that_broke_after_a_run_is_one_line_and_the_ledger_stands(
    recorded: tuple[Path, str],
) -> None:
    folder = recorded[0]
    config = folder / "attribution.yaml"
    before = run("ledger", "--config", config, "--format", "csv").stdout
    policy = folder / "policies" / "policy-1.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("driver: cost", "driver: costs"))
    assert refusal("run", "--config", config, "--from", DAY).startswith(f"{policy}:")
    policy.write_text(text)
    assert run("ledger", "--config", config, "--format", "csv").stdout == before


def test_failed_check_is_told_on_stderr_and_is_status_1(
    recorded: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution_pipeline.orchestration import run as orchestrated

    checks = [
        CheckOutcome("conservation", passed=False, blocking=True, description="off by 1"),
        CheckOutcome("coverage", passed=False, blocking=False, description="low"),
    ]
    report = RunReport(days=[DayOutcome(date(2026, 10, 5), "recorded", checks)])
    monkeypatch.setattr(orchestrated, "run_days", lambda *_, **__: report)
    result = run("run", "--config", recorded[0] / "attribution.yaml", "--from", DAY)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"alert: {DAY} coverage: low",
        f"failed: {DAY} conservation: off by 1",
    ]


def test_alert_alone_is_status_0(
    recorded: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from attribution_pipeline.orchestration import run as orchestrated

    check = CheckOutcome("coverage", passed=False, blocking=False, description="low")
    report = RunReport(days=[DayOutcome(date(2026, 10, 5), "recorded", [check])])
    monkeypatch.setattr(orchestrated, "run_days", lambda *_, **__: report)
    result = run("run", "--config", recorded[0] / "attribution.yaml", "--from", DAY)
    assert result.exit_code == 0
    assert result.stderr == f"alert: {DAY} coverage: low\n"
