"""Recording a day: one commit publishes it, and only what that commit names is read."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import CommitFailedError, DeltaError

from attribution_pipeline.lake import DayMoved, Lake, shapes
from attribution_pipeline.lake.delta import PROPERTIES
from attribution_pipeline.lake.manifest import manifest_id
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline_tests.buckets.paths import Root, content, delta, standing
from attribution_pipeline_tests.lake.days import (
    DAY,
    RECORDED_AT,
    SCHEMAS,
    amounts_of,
    day_files,
    manifest,
    record,
)
from attribution_pipeline_tests.lake.stores import HookedStore, Killed, raising


@pytest.fixture
def lake(root: Root) -> Lake:
    return Lake(root / "storage")


def test_a_lake_without_days_reads_as_empty_tables(lake: Lake) -> None:
    assert lake.days() == []
    assert lake.read("ledger", DAY, DAY).schema == SCHEMAS["ledger"]
    with pytest.raises(Refusal, match="2026-10-05 is not recorded; attribution run"):
        lake.manifest(DAY)


def test_a_recorded_day_reads_back_in_the_tables_schema(lake: Lake) -> None:
    receipt = record(lake, DAY, ["1.5", "-0.000000000001"])
    assert (receipt.state, receipt.unchanged) == (1, False)
    for table, schema in SCHEMAS.items():
        rows = lake.read(table, DAY, DAY)
        assert rows.schema == schema
        assert rows["charge_date"].to_pylist() == [DAY, DAY]
    assert amounts_of(lake, DAY) == ["1.5", "-0.000000000001"]


def test_files_keep_the_bytes_that_the_engine_wrote(lake: Lake, tmp_path: Path) -> None:
    files = day_files(tmp_path / "out", ["1"], RECORDED_AT)
    written = files["ledger"][0].read_bytes()
    lake.commit_day(DAY, files, manifest("a", RECORDED_AT))
    ((day, path),) = lake.file_paths("ledger", DAY, DAY)
    assert day == DAY
    assert path.read_bytes() == written
    assert path.parent.name == "charge_date=2026-10-05"


def test_other_engines_read_the_delta_tables_as_they_stand(lake: Lake) -> None:
    record(lake, DAY, ["1", "2"])
    record(lake, DAY + timedelta(days=1), ["3"])
    record(lake, DAY, ["4"])
    for table in SCHEMAS:
        ours = lake.read(table, DAY, DAY + timedelta(days=1))
        theirs = delta(lake.storage / table).to_pyarrow_table()
        key = ours.schema.names[0] if table != "operations" else "operation_number"
        order = [("charge_date", "ascending"), (key, "ascending")]
        assert theirs.select(ours.schema.names).sort_by(order) == ours.sort_by(order)


def test_recording_a_day_again_replaces_it_and_chains_its_manifest(lake: Lake) -> None:
    first = record(lake, DAY, ["1", "2"])
    second = record(lake, DAY, ["3"])
    assert amounts_of(lake, DAY) == ["3"]
    document = lake.manifest(DAY)
    assert document["state"] == second.state == 2
    assert document["previous"] == first.manifest_id
    assert [state.manifest_id for state in lake.states()] == [
        first.manifest_id,
        second.manifest_id,
    ]
    older = lake.states()[0]
    assert (lake.storage / older.manifest_file.path).is_file()


def test_the_manifest_names_every_file_by_its_sha256(lake: Lake) -> None:
    import hashlib

    receipt = record(lake, DAY, ["1", "2"])
    document = lake.manifest(DAY)
    assert set(document["files"]) == set(SCHEMAS)
    for (entry,) in document["files"].values():
        data = (lake.storage / entry["path"]).read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert entry["rows"] == 2
    head = delta(lake.storage / "manifests").to_pyarrow_table()
    assert manifest_id(head["document"][0].as_py()) == receipt.manifest_id


def test_the_same_state_again_writes_nothing(lake: Lake) -> None:
    first = record(lake, DAY, ["1"])
    again = record(lake, DAY, ["1"], recorded_at=RECORDED_AT + timedelta(hours=1))
    assert again.unchanged
    assert again.manifest_id == first.manifest_id
    assert delta(lake.storage / "ledger").version() == first.ledger_version
    assert lake.read("ledger", DAY, DAY)["recorded_at"].to_pylist() == [RECORDED_AT]


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "2"},
        {"policy": {"policy": "p", "version": 2, "digest": "e" * 64}},
        {"inputs": {"billing_exports": {"digest": "other", "files": {}}}},
    ],
)
def test_another_rule_engine_or_evidence_is_another_state(
    lake: Lake, change: dict[str, Any]
) -> None:
    record(lake, DAY, ["1"])
    assert record(lake, DAY, ["1"], **change).state == 2


@pytest.mark.parametrize("error", [TimeoutError("no answer"), CommitFailedError("reset")])
@pytest.mark.parametrize("table", shapes.TABLES)
def test_a_commit_that_was_made_but_not_acknowledged_is_not_doubled(
    root: Root, table: str, error: Exception
) -> None:
    store = HookedStore(root)
    lake = Lake(root, store=store)
    record(lake, DAY, ["1"])
    before = {name: len(list((root / name).rglob("0*.json"))) for name in shapes.TABLES}
    store.after["commit", table] = raising(error)
    receipt = record(lake, DAY, ["1", "2"], revisions=["r"], variances=["v"])
    assert (receipt.state, receipt.unchanged) == (2, False)
    assert len(lake.states()) == 2
    for name in shapes.TABLES:
        made = len(list((root / name).rglob("0*.json"))) - before[name]
        assert made == (2 if name in ("ledger_revisions", "variances") else 1), name  # and created
    assert lake.differences(DAY) == []
    lake.verify(DAY, DAY)


def test_a_failed_commit_that_nobody_else_won_is_an_error_not_a_loop(root: Root) -> None:
    store = HookedStore(root)
    lake = Lake(root, store=store)
    store.before["commit", "ledger"] = raising(CommitFailedError("no space left on device"))
    with pytest.raises(Refusal, match="Delta's log cannot be written: no space left"):
        record(lake, DAY, ["1"])
    assert lake.days() == []
    assert record(lake, DAY, ["1"]).state == 1


def test_a_run_that_began_before_another_recorded_the_day_is_told_so(lake: Lake) -> None:
    record(lake, DAY, ["1"])
    with pytest.raises(DayMoved, match="run the day again"):
        record(lake, DAY, ["2"], previous=None)
    assert amounts_of(lake, DAY) == ["1"]


def test_two_first_recordings_of_one_day_never_both_stand(root: Root) -> None:
    """delta-rs's own conflict check lets both first files in: the case that its retries miss."""
    store = HookedStore(root, locks=False)
    store.before["commit", "manifests"] = lambda: record(_alone(root), DAY, ["7"])
    with pytest.raises(DayMoved):
        record(Lake(root, store=store), DAY, ["1", "2"])
    lake = Lake(root)
    assert amounts_of(lake, DAY) == ["7"]
    assert delta(root / "ledger").to_pyarrow_table().num_rows == 1
    assert lake.differences(DAY) == []  # the loser gave back the side tables that it had taken


def _alone(storage: Root) -> Lake:
    """A lake on a machine of its own, which no lock keeps waiting."""
    return Lake(storage, store=HookedStore(storage, locks=False))


@pytest.mark.parametrize("same_day", [False, True])
def test_a_commit_that_loses_the_race_for_a_version_looks_again(root: Root, same_day: bool) -> None:
    """Between opening the table and committing to it, another machine commits (no shared lock)."""
    other_day = DAY if same_day else DAY + timedelta(days=1)
    store = HookedStore(root, locks=False)
    store.before["commit", "ledger"] = lambda: record(_alone(root), other_day, ["7"])
    lake = Lake(root, store=store)
    if same_day:
        with pytest.raises(DayMoved):
            record(lake, DAY, ["1", "2"])
        assert lake.days() == [DAY]
    else:
        assert record(lake, DAY, ["1", "2"]).tries == 2
        assert amounts_of(lake, DAY) == ["1", "2"]
    assert amounts_of(lake, other_day) == ["7"]


def test_what_is_asked_before_a_commit_is_asked_of_the_version_below_it(root: Root) -> None:
    """Another machine commits while this one looks at the day: it looks again."""
    seen: list[int] = []

    def unless() -> bool:
        seen.append(len(Lake(root).states(DAY)))
        if len(seen) == 1:
            record(_alone(root), DAY, ["7"])
        return len(seen) > 1 and seen[-1] == 1

    lake = _alone(root)
    ledger = lake._tables["ledger"]
    record(lake, DAY + timedelta(days=1), ["1"])
    assert ledger.replace_day(DAY, [], note=dict, unless=unless) is None
    assert seen == [0, 1]
    assert amounts_of(Lake(root), DAY) == ["7"]


def test_a_twin_that_records_the_same_state_first_is_recognised(root: Root) -> None:
    later = RECORDED_AT + timedelta(seconds=1)
    store = HookedStore(root, locks=False)
    store.before["commit", "manifests"] = lambda: record(
        _alone(root), DAY, ["1"], recorded_at=later
    )
    lake = Lake(root, store=store)
    assert record(lake, DAY, ["1"]).unchanged
    assert [state.recorded_at for state in lake.states()] == [later]
    assert lake.differences(DAY) == []


@pytest.mark.parametrize("dies_before", ["operations", "manifests", "ledger"])
def test_a_crash_before_the_ledger_commit_leaves_the_old_state_and_a_rerun_converges(
    root: Root, dies_before: str
) -> None:
    store = HookedStore(root)
    lake = Lake(root, store=store)
    record(lake, DAY, ["1"])
    store.before["commit", dies_before] = raising(Killed())
    with pytest.raises(Killed):
        record(lake, DAY, ["2", "3"])

    after = Lake(lake.storage)
    assert amounts_of(after, DAY) == ["1"]
    assert after.read("operation_costs", DAY, DAY).num_rows == 1
    assert record(after, DAY, ["2", "3"]).state == 2
    assert after.differences(DAY) == []


def test_side_tables_left_ahead_are_brought_back_by_a_rerun_of_the_old_state(
    root: Root,
) -> None:
    store = HookedStore(root)
    lake = Lake(root, store=store)
    record(lake, DAY, ["1"])
    store.before["commit", "ledger"] = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        record(lake, DAY, ["2", "3"], variances=["v"])
    assert sum("Delta's log names" in text for text in lake.differences(DAY)) == 3
    assert record(lake, DAY, ["1"]).unchanged
    assert lake.differences(DAY) == []


def test_a_changed_file_is_refused_by_name_before_it_is_parsed(lake: Lake) -> None:
    record(lake, DAY, ["1"])
    ((_, path),) = lake.file_paths("ledger", DAY, DAY)
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 3] ^= 0x10
    standing(lake.storage, path).write_bytes(flipped)
    with pytest.raises(Refusal, match=f"{path.name}: a recorded file was changed"):
        lake.read("ledger", DAY, DAY)
    with pytest.raises(Refusal, match="was changed"):
        lake.file_paths("ledger", DAY, DAY)
    (difference,) = lake.differences(DAY)
    assert difference.startswith(f"ledger: ledger/charge_date=2026-10-05/{path.name} was changed")


def test_a_changed_manifest_is_refused(lake: Lake) -> None:
    record(lake, DAY, ["1"])
    path = lake.storage / lake.states()[0].manifest_file.path
    rows = pq.read_table(content(path))
    changed = pa.BufferOutputStream()
    pq.write_table(rows.set_column(0, "manifest_id", pa.array(["0" * 64])), changed)
    path.write_bytes(changed.getvalue().to_pybytes())
    with pytest.raises(Refusal, match="was changed"):
        lake.manifest(DAY)


def test_running_a_day_again_heals_a_file_that_rotted(lake: Lake) -> None:
    record(lake, DAY, ["1"])
    ((_, path),) = lake.file_paths("ledger", DAY, DAY)
    standing(lake.storage, path).unlink()
    with pytest.raises(Refusal, match="a recorded file is missing"):
        lake.read("ledger", DAY, DAY)
    record(lake, DAY, ["1"])
    assert amounts_of(lake, DAY) == ["1"]
    assert lake.differences(DAY) == []


def test_an_empty_day_is_a_recorded_day(lake: Lake) -> None:
    record(lake, DAY, [])
    assert lake.days() == [DAY]
    assert lake.read("ledger", DAY, DAY).num_rows == 0


def test_a_file_of_another_schema_is_never_published(lake: Lake, tmp_path: Path) -> None:
    files = day_files(tmp_path / "out", ["1"], RECORDED_AT)
    (path,) = files["ledger"]
    rows = pq.read_table(path)
    floats = rows["billed_cost"].cast(pa.float64())
    at = rows.schema.get_field_index("billed_cost")
    pq.write_table(rows.set_column(at, "billed_cost", floats), path)
    with pytest.raises(Broken, match="billed_cost double"):
        lake.commit_day(DAY, files, manifest("a", RECORDED_AT))
    assert lake.days() == []


def test_reading_selects_days_and_columns(lake: Lake) -> None:
    for offset, text in enumerate(["1", "2", "3"]):
        record(lake, DAY + timedelta(days=offset), [text])
    rows = lake.read("ledger", DAY, DAY + timedelta(days=1), ["charge_date", "billed_cost"])
    assert rows["charge_date"].to_pylist() == [DAY, DAY + timedelta(days=1)]
    assert rows.schema.names == ["charge_date", "billed_cost"]


def test_evidence_is_kept_under_its_digest_and_checked(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "charges.parquet"
    pq.write_table(pa.table({"charge_id": ["a", "b"]}), source)
    kept = lake.evidence.keep(
        "billing_exports",
        DAY,
        basis="b",
        digest="x",
        files={"charges": [source]},
        rows={"charges": 2},
    )
    assert lake.evidence.find("billing_exports", DAY, "b") == kept
    assert lake.evidence.find("billing_exports", DAY, "other") is None
    record(lake, DAY, ["1"], inputs={"billing_exports": kept.as_input()})
    ((path,),) = lake.evidence.paths(lake.manifest(DAY)["inputs"]["billing_exports"]).values()
    assert path.stem == kept.files["charges"][0].sha256
    standing(lake.storage, path, 4).write_bytes(b"other")
    assert lake.evidence.find("billing_exports", DAY, "b") is None
    with pytest.raises(Refusal, match="was changed"):
        lake.evidence.paths(kept.as_input())
    (difference,) = lake.differences(DAY)
    assert difference.startswith(
        f"billing_exports.charges: {kept.files['charges'][0].path} was changed"
    )


def test_tables_keep_their_history_for_replay(lake: Lake) -> None:
    record(lake, DAY, ["1"])
    record(lake, DAY, ["2"])
    for table in (*SCHEMAS, shapes.MANIFESTS):
        found = delta(lake.storage / table)
        assert found.metadata().configuration == PROPERTIES
        with pytest.raises(DeltaError, match="greater than 876000 hours"):
            found.vacuum(retention_hours=24, dry_run=True)


def test_states_survive_a_checkpoint_of_the_log(lake: Lake) -> None:
    record(lake, DAY, ["1"])
    record(lake, date(2026, 10, 6), ["2"])
    delta(lake.storage / "ledger").create_checkpoint()
    record(lake, DAY, ["3"])
    assert Lake(lake.storage).days() == [DAY, date(2026, 10, 6)]
    assert amounts_of(Lake(lake.storage), DAY) == ["3"]


def test_scratch_folders_are_gone_after_the_run(lake: Lake) -> None:
    with lake.staging(DAY) as folder:
        beside = folder.parent
    record(lake, DAY, ["1"])
    assert list(beside.iterdir()) == []


def test_a_file_may_hold_amounts_in_fewer_digits_and_every_reader_widens_them(lake: Lake) -> None:
    amounts = {18: Decimal("-2.000000000001"), 38: Decimal("12345678.5")}
    with lake.staging(DAY) as folder:
        files = day_files(folder, ["1"], RECORDED_AT)
        (whole,) = files["operation_costs"]
        rows = pq.read_table(whole)
        files["operation_costs"] = []
        for number, (digits, amount) in enumerate(amounts.items()):
            kept = {"operation_number": pa.array([number], pa.int64())} | {
                cost: pa.array([amount], pa.decimal128(digits, 12))
                for cost in ("billed_cost", "effective_cost")
            }
            for name, values in kept.items():
                rows = rows.set_column(rows.schema.get_field_index(name), name, values)
            path = folder / f"{digits}.parquet"
            pq.write_table(rows, path)
            files["operation_costs"].append(path)
        lake.commit_day(DAY, files, manifest("a", RECORDED_AT))
    ours = lake.read("operation_costs", DAY, DAY)["billed_cost"]
    theirs = delta(lake.storage / "operation_costs").to_pyarrow_table()["billed_cost"]
    for column in (ours, theirs):
        assert column.type == pa.decimal128(38, 12)
        assert sorted(column.to_pylist()) == sorted(amounts.values())


def test_a_file_of_another_scale_is_not_of_its_schema(lake: Lake) -> None:
    with lake.staging(DAY) as folder:
        files = day_files(folder, ["1"], RECORDED_AT)
        (path,) = files["operation_costs"]
        rows = pq.read_table(path)
        cents = pa.array([Decimal("1.00")], pa.decimal128(18, 2))
        place = rows.schema.get_field_index("billed_cost")
        pq.write_table(rows.set_column(place, "billed_cost", cents), path)
        with pytest.raises(Broken, match="not of its schema"):
            lake.commit_day(DAY, files, manifest("a", RECORDED_AT))
