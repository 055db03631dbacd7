"""``attribution replay``: its lines, its files, and the exit status that scripts read."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution import KERNEL
from attribution_pipeline_tests.orchestration.deployments import DAY, place_of, with_value
from attribution_pipeline_tests.proof.replays import History, worked_day
from attribution_pipeline_tests.test_cli import refusal, run

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def two_states(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The worked day on time, and under a second version: copied, never written to."""
    history = worked_day(tmp_path_factory.mktemp("replayed"))
    history.record()
    history.published(2, "driver: usage.query_units", "driver: even")
    history.record()
    return history


@pytest.fixture
def history(two_states: History, tmp_path: Path) -> History:
    return History(
        shutil.copytree(two_states.folder, tmp_path / "worked_day"),
        two_states.now,
        list(two_states.receipts),
    )


def replay(history: History, *options: object):
    config = history.folder / "attribution.yaml"
    return run("replay", "--config", config, "--from", DAY.isoformat(), *options)


def moved(rows: pa.Table) -> pa.Table:
    here = place_of(rows, basis="driver", component="shared", tenant_id="tenant-a")
    charge = rows["charge_id"][here].as_py()
    there = place_of(rows, charge_id=charge, tenant_id="tenant-b", component="shared")
    for place, delta in ((here, -CENT), (there, CENT)):
        rows = with_value(rows, place, "billed_cost", rows["billed_cost"][place].as_py() + delta)
    return rows


def short(rows: pa.Table) -> pa.Table:
    place = place_of(rows, basis="driver", tenant_id="tenant-a")
    return with_value(rows, place, "billed_cost", rows["billed_cost"][place].as_py() - CENT)


def test_a_day_that_comes_out_again_is_status_0_with_methods_and_roll_ups(history: History):
    result = replay(history)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2026-10-05  reproduced: ")
    assert f"(state 2, policy worked-day version 2, kernel {KERNEL})" in lines[0]
    table = [line.split() for line in lines if line.startswith(("method", "meter", "share"))]
    assert table[0][:5] == ["method", "kernel", "currency", "rows", "differing"]
    assert all(row[4:] == ["0", "0.000000000000", "0.000000000000"] for row in table[1:])
    assert any(line.startswith("2026-10-05  roll-ups agree: ") for line in lines)
    assert any(line.startswith("2026-10  roll-ups agree: ") for line in lines)
    assert lines[-1] == "reproduced: 1 of 1 days"


def test_as_of_replays_the_state_of_that_time(history: History):
    result = replay(history, "--as-of", "2026-10-06T12:00:00Z")
    assert result.exit_code == 0, result.output
    assert f"(state 1, policy worked-day version 1, kernel {KERNEL})" in result.stdout
    # a month is rolled up as it stands, never as it stood
    assert "2026-10  roll-ups" not in result.stdout


def test_a_missing_input_is_status_3_and_names_the_file(history: History):
    (entry,) = history.house().lake.manifest(DAY)["inputs"]["usage"]["files"]["usage"]
    path = history.damage(entry)
    path.unlink()
    result = replay(history)
    assert result.exit_code == 3
    assert f"2026-10-05  an input is missing or was changed: {path}: " in result.stdout


@pytest.mark.parametrize("table", ["ledger", "operations", "manifests"])
def test_a_changed_log_is_status_3_and_names_the_entry(history: History, table: str):
    entry = f"{table}/_delta_log/{1:020d}.json"
    history.damage({"path": entry})
    result = replay(history)
    assert result.exit_code == 3
    assert result.stdout.startswith("an input is missing or was changed: ")
    assert f"{1:020d}.json" in result.stdout


def test_other_rows_of_the_same_inputs_are_status_4_and_named(history: History):
    history.record_otherwise({"ledger": moved})
    result = replay(history)
    assert result.exit_code == 4
    assert "2026-10-05  same inputs, other result: 2 rows differ, first ledger " in result.stdout
    named = [line for line in result.stderr.splitlines() if " billed_cost: recorded " in line]
    assert len(named) == 2
    share = next(line.split() for line in result.stdout.splitlines() if line.startswith("share"))
    assert share[4:] == ["2", "0.020000000000", "0.000000000000"]
    assert "reproduced: 0 of 1 days" in result.stdout


def test_a_recorded_day_that_does_not_conserve_is_status_5(history: History):
    history.record_otherwise({"ledger": short})
    result = replay(history)
    assert result.exit_code == 5
    assert "2026-10-05  the recorded day does not conserve: " in result.stdout
    assert "2026-10  roll-ups disagree" in result.stdout


def test_roll_ups_that_disagree_are_status_5_though_every_sum_stands(history: History):
    def renamed(rows: pa.Table) -> pa.Table:
        row = place_of(rows, basis="operations", tenant_id="tenant-a", component="workload")
        return with_value(rows, row, "service", "Amazon Bedrock")

    history.record_otherwise({"ledger": renamed})
    result = replay(history)
    assert "same inputs, other result" in result.stdout
    assert "2026-10-05  roll-ups disagree: " in result.stdout
    assert result.exit_code == 5


def test_every_day_of_the_range_has_its_line_and_the_worst_decides(history: History):
    from datetime import timedelta

    from attribution_pipeline.orchestration.recording import record_day

    history.now += timedelta(days=7)
    record_day(history.house(), DAY + timedelta(days=2))
    history.record_otherwise({"ledger": moved})
    result = replay(history, "--to", "2026-10-08")
    assert result.exit_code == 4
    days = [line[:10] for line in result.stdout.splitlines() if "(state" in line]
    assert days == ["2026-10-05", "2026-10-07"]
    for day in ("2026-10-06", "2026-10-08"):
        assert f"{day}  not recorded, so not replayed" in result.stderr
    assert "reproduced: 1 of 2 days" in result.stdout


def test_a_version_as_of_its_time_gives_what_was_published_then(history: History, tmp_path: Path):
    out = tmp_path / "comparison"
    result = replay(history, "--policy", 1, "--as-of", "2026-10-06T12:00:00Z", "--out", out)
    assert result.exit_code == 0, result.output
    first = result.stdout.splitlines()[0]
    assert first.startswith("2026-10-05  worked-day version 1 on the evidence of state 1, ")
    assert "what was published then" in first
    assert "to the quantum" in first
    rows = pq.read_table(out / "comparison-2026-10-05.parquet")
    assert not any(rows["delta_billed_cost"].to_pylist() + rows["delta_effective_cost"].to_pylist())
    assert (out / "tenants.parquet").is_file()


def test_a_version_without_a_time_is_on_todays_evidence_with_a_line_a_tenant(history: History):
    result = replay(history, "--policy", 1)
    assert result.exit_code == 0, result.output
    assert "worked-day version 1 on today's evidence (landing 4), against state 2" in result.stdout
    tenants = {line.split()[0]: line.split()[2:] for line in result.stdout.splitlines()
               if line.startswith("tenant-")}  # fmt: skip
    assert set(tenants) == {"tenant-a", "tenant-b", "tenant-c"}
    for recorded, replayed, delta in tenants.values():
        assert Decimal(replayed) - Decimal(recorded) == Decimal(delta) != 0
    folder = history.folder / "lake" / "comparisons" / "2026-10-05_2026-10-05_version-1_today"
    assert f"to {folder}; the ledger is untouched" in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == [
        "comparison-2026-10-05.parquet", "tenants.parquet",
    ]  # fmt: skip


def test_what_is_missing_for_a_comparison_is_status_3_and_named(history: History):
    (entry,) = history.house().lake.manifest(DAY)["inputs"]["cluster"]["files"]["pods"]
    path = history.damage(entry)
    result = replay(history, "--policy", 1, "--as-of", "2026-10-30")
    assert result.exit_code == 3
    assert f"an input is missing or was changed: {path}: " in result.stdout


def test_landed_evidence_that_was_changed_is_status_3_and_named(history: History):
    spans = history.house().landed.files("spans")[0]
    path = history.damage({"path": spans.path})
    # this version reads who-columns otherwise, so today's operations are derived anew
    history.published(3, "tenant_tag: tenant\n", "tenant_tag: tenant\n  tenant_aliases: {a: b}\n")
    result = replay(history, "--policy", 3)
    assert result.exit_code == 3
    assert "worked-day version 3 on today's evidence (landing 4)" in result.stdout
    assert path.name in result.stdout


def test_published_rows_that_do_not_come_out_again_are_status_4_under_their_version(
    history: History, tmp_path: Path
):
    history.record_otherwise({"ledger": moved})
    result = replay(history, "--policy", 2, "--as-of", "2026-10-30", "--out", tmp_path / "out")
    assert result.exit_code == 4
    assert "2 rows differ" in result.stdout


@pytest.mark.parametrize(("options", "said"), [
    (("--policy", 9), "there is no version 9; published are: 1, 2"),
    (("--as-of", "2026-09-01"), "no day from 2026-10-05 to 2026-10-05 is recorded by 2026-09-01"),
    (("--out", "x"), "--out: a replay without --policy writes nothing; leave it out"),
    (("--to", "2026-10-01"), "is after --to"),
    (("--as-of", "yesterday"), "is no time"),
    (("--policy", 1, "--out", "/dev/null/x"), "/dev/null/x: not a directory; see that it exists"),
])  # fmt: skip
def test_what_cannot_be_replayed_is_one_line_and_status_2(history: History, options, said: str):
    config = history.folder / "attribution.yaml"
    assert said in refusal("replay", "--config", config, "--from", "2026-10-05", *options)
