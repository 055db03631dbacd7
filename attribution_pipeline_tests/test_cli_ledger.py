"""``attribution ledger`` over recorded days."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
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


@pytest.mark.parametrize(
    "pattern",
    ["operations/_delta_log/*.json", "seals/ledger/*.json", "manifests/charge_date=*/*.parquet"],
)
def test_an_export_stands_on_nothing_that_was_changed(
    config: Path, tmp_path: Path, pattern: str
) -> None:
    path = sorted((config.parent / "lake").glob(pattern))[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    out = tmp_path / "ledger.csv"
    assert path.name in refusal("ledger", "--config", config, "--out", out, "--to", FIRST)
    assert not out.exists()


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


# -- as it stood ---------------------------------------------------------------------------------


def clock(day: int) -> Callable[[], datetime]:
    """A clock that stands at noon of a day of October."""
    return lambda: datetime(2026, 10, day, 12, tzinfo=UTC)


@pytest.fixture
def revised(tmp_path: Path) -> Path:
    """The 5th published on the 6th and again on the 8th; the 6th on the 9th, under version 2."""
    folder = tmp_path / "deployment"
    run("init", folder, "--first-day", FIRST)
    lake = folder / "lake"
    record(Lake(lake, clock=clock(6)), FIRST, ["1", "-0.5"])
    record(Lake(lake, clock=clock(8)), FIRST, ["3", "-0.5"])
    policy = {"policy": "p", "version": 2, "digest": "e" * 64}
    record(Lake(lake, clock=clock(9)), date(2026, 10, 6), ["7"], policy=policy)
    return folder / "attribution.yaml"


def _billed(config: Path, *options: object) -> list[str]:
    result = run("ledger", "--config", config, "--format", "json", *options)
    assert result.exit_code == 0, result.output
    return [row["billed_cost"].rstrip("0").rstrip(".") for row in json.loads(result.stdout)]


@pytest.mark.parametrize(
    ("as_of", "billed"),
    [
        ("2026-10-06", ["1", "-0.5"]), ("2026-10-08T11:59:59Z", ["1", "-0.5"]),
        ("2026-10-08T12:00:00Z", ["3", "-0.5"]), ("2026-10-08T14:00:00+02:00", ["3", "-0.5"]),
        ("2026-10-08T13:59:59+02:00", ["1", "-0.5"]), ("2026-10-08", ["3", "-0.5"]),
        ("2026-10-09", ["3", "-0.5", "7"]), ("2999-01-01", ["3", "-0.5", "7"]),
    ],
)  # fmt: skip
def test_each_day_is_read_in_the_newest_state_published_by_then(
    revised: Path, as_of: str, billed: list[str]
) -> None:
    assert _billed(revised, "--as-of", as_of) == billed


def test_which_states_and_versions_stood_then_is_told(revised: Path) -> None:
    result = run("ledger", "--config", revised, "--as-of", "2026-10-09")
    assert result.stderr == (
        "as of 2026-10-09T23:59:59Z: 2 days, one state each, published 2026-10-08T12:00:00Z to "
        "2026-10-09T12:00:00Z, under p version 1 (1 day), p version 2 (1 day)\n"
    )
    assert run("ledger", "--config", revised).stderr == ""


def test_days_that_were_not_recorded_by_then_are_told(revised: Path) -> None:
    result = run("ledger", "--config", revised, "--as-of", "2026-10-08", "--to", "2026-10-06")
    assert result.stderr.splitlines()[0] == (
        "not recorded by 2026-10-08T23:59:59Z, so not in this: 1 of 2 days (2026-10-06)"
    )


def test_a_time_before_everything_is_refused_with_what_there_was(revised: Path) -> None:
    where = revised.parent / "lake"
    assert refusal("ledger", "--config", revised, "--as-of", "2026-10-01") == (
        f"{where}: no day of the range was recorded by 2026-10-01T23:59:59Z (nothing was recorded "
        "then); name a later time, or leave out --as-of"
    )
    line = refusal("ledger", "--config", revised, "--as-of", "2026-10-08", "--from", "2026-10-06")
    assert line.startswith(
        f"{where}: no day of the range was recorded by 2026-10-08T23:59:59Z (recorded then were "
        "2026-10-05 to 2026-10-05)"
    )


def test_sums_are_as_of_then_too(revised: Path) -> None:
    assert _billed(revised, "--as-of", "2026-10-07", "--by", "component") == ["0.5"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "20261005", "2026-10-05 25:00"])
def test_a_time_that_is_none_is_one_line(text: str) -> None:
    assert "is no time, write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ" in refusal(
        "ledger", "--as-of", text
    )


# -- revisions and variances ---------------------------------------------------------------------


def test_tables_that_there_are_not_and_sums_of_revisions_are_refused(config: Path) -> None:
    assert refusal("ledger", "--config", config, "--table", "rows") == (
        "--table: `rows` is no table; use one of: ledger, revisions, variances"
    )
    assert refusal("ledger", "--config", config, "--revisions", "--by", "cause") == (
        "--by: sums are of the ledger; leave it out, or leave out --table"
    )
    assert refusal("ledger", "--config", config, "--revisions", "--table", "variances") == (
        "--revisions and --table variances are two; leave one out"
    )


def test_days_that_never_changed_have_no_revisions_and_hold_nothing(config: Path) -> None:
    result = run("ledger", "--config", config, "--revisions")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "no row was changed"
    assert run("ledger", "--config", config, "--table", "variances").stdout.splitlines()[-1] == (
        "nothing is held back"
    )
