"""``attribution ledger`` over recorded days."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake import Lake
from attribution_pipeline.model.ledger import LEDGER
from attribution_pipeline_tests.lake.days import record
from attribution_pipeline_tests.test_cli import refusal, run

FIRST, LAST = date(2026, 10, 5), date(2026, 10, 8)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A deployment with the 5th and the 8th recorded, and nothing between."""
    folder = tmp_path / "deployment"
    run("init", folder, "--first-day", FIRST)
    lake = Lake(folder / "lake")
    record(lake, FIRST, ["1.000000000001", "-0.5"])
    record(lake, LAST, ["2"])
    return folder / "attribution.yaml"


def test_every_row_and_column_comes_out_in_schema_order(config: Path) -> None:
    result = run("ledger", "--config", config, "--format", "csv")
    assert result.exit_code == 0, result.output
    records = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(records[0]) == LEDGER.names
    assert [(row["charge_date"], row["billed_cost"]) for row in records] == [
        ("2026-10-05", "1.000000000001"), ("2026-10-05", "-0.500000000000"),
        ("2026-10-08", "2.000000000000"),
    ]  # fmt: skip


def test_days_that_are_not_recorded_are_told_and_not_taken_for_zero(config: Path) -> None:
    result = run("ledger", "--config", config)
    assert result.stderr == ("not recorded, so not in this: 2 of 4 days (2026-10-06, 2026-10-07)\n")
    assert run("ledger", "--config", config, "--from", FIRST, "--to", FIRST).stderr == ""


def test_range_and_groups_select_what_is_summed(config: Path) -> None:
    options = ("--by", "charge_date", "--format", "json", "--to", FIRST)
    result = run("ledger", "--config", config, *options)
    assert json.loads(result.stdout) == [
        {
            "charge_date": "2026-10-05", "billing_currency": None,
            "billed_cost": "0.500000000001", "effective_cost": "0.500000000001",
        }
    ]  # fmt: skip


def test_ending_of_the_file_names_the_format(config: Path, tmp_path: Path) -> None:
    for name in ("l.parquet", "l.csv", "l.json"):
        result = run("ledger", "--config", config, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert result.stdout == ""
        assert f"wrote {tmp_path / name}: 3 rows" in result.stderr
    assert pq.read_schema(tmp_path / "l.parquet").names == LEDGER.names
    amounts = pq.read_table(tmp_path / "l.parquet")["billed_cost"].to_pylist()
    assert sum(amounts) == Decimal("2.500000000001")
    assert len((tmp_path / "l.csv").read_text().splitlines()) == 4
    assert len(json.loads((tmp_path / "l.json").read_text())) == 3


def test_named_format_goes_before_the_ending(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "l.json"
    run("ledger", "--config", config, "--out", out, "--format", "csv")
    assert out.read_text().startswith("attribution_id,")


def test_range_without_a_recorded_day_is_refused_and_nothing_is_written(
    config: Path, tmp_path: Path
) -> None:
    out = tmp_path / "l.csv"
    assert refusal("ledger", "--config", config, "--from", "2026-10-09", "--out", out) == (
        f"{config.parent / 'lake'}: no day of the range is recorded (recorded are 2026-10-05 to "
        "2026-10-08); run it first: attribution run --from DAY --to DAY"
    )
    assert not out.exists()


def test_unknown_column_is_refused_before_anything_is_read(config: Path) -> None:
    assert refusal("ledger", "--config", config, "--by", "tenants") == (
        "--by: `tenants` is no column to group by; did you mean `tenant_id`?"
    )


def test_parquet_without_a_file_is_refused(config: Path) -> None:
    assert refusal("ledger", "--config", config, "--format", "parquet") == (
        "--format: parquet is not text; name a file: --out F"
    )


def test_reading_the_ledger_does_not_start_dagster(config: Path) -> None:
    code = (
        "import sys\nfrom attribution_pipeline.cli import main\n"
        "try:\n    main()\nfinally:\n    print('dagster' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "ledger", "--config", str(config), "--to", str(FIRST)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False"
