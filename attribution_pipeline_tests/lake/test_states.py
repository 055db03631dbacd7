"""Every state a day ever had: read back as of an instant, and what each commit says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake import DayMoved, Lake
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline_tests.buckets.paths import Root, delta, standing
from attribution_pipeline_tests.lake.days import (
    DAY,
    RARE,
    RECORDED_AT,
    SCHEMAS,
    amounts_of,
    day_files,
    manifest,
    record,
)

NOON = datetime(2026, 10, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEXT = DAY + timedelta(days=1)


def ticking(*instants: datetime) -> Callable[[], datetime]:
    """A clock that tells these instants, one at each look."""
    told: Iterator[datetime] = iter(instants)
    return lambda: next(told)


def read_as_of(lake: Lake, instant: datetime) -> list[str]:
    column = lake.read("ledger", DAY, NEXT, ["billed_cost"], as_of=instant)["billed_cost"]
    return [format(value.as_py().normalize(), "f") for value in column]


# -- as of ----------------------------------------------------------------------------------------


def test_every_state_is_read_as_it_stood_between_its_commit_and_the_next(root: Root) -> None:
    lake = Lake(root, clock=ticking(NOON, NOON + HOUR, NOON + 2 * HOUR))
    record(lake, DAY, ["1"])
    record(lake, NEXT, ["7"])
    record(lake, DAY, ["2", "3"])
    lake = Lake(root)  # from the log, not from memory
    moment = timedelta(microseconds=1)
    assert read_as_of(lake, NOON - moment) == []
    assert read_as_of(lake, NOON) == ["1"]
    assert read_as_of(lake, NOON + HOUR - moment) == ["1"]
    assert read_as_of(lake, NOON + HOUR) == ["1", "7"]
    assert read_as_of(lake, NOON + 2 * HOUR) == ["2", "3", "7"]
    assert lake.days(as_of=NOON) == [DAY]
    assert [state.state for state in lake.states(DAY)] == [1, 2]
    assert [state.day for state in lake.states()] == [DAY, NEXT, DAY]
    assert lake.manifest(DAY, as_of=NOON)["state"] == 1
    assert lake.head(NEXT, as_of=NOON) is None
    with pytest.raises(Refusal, match="2026-10-06 was not recorded by 2026-10-06 12:00"):
        lake.manifest(NEXT, as_of=NOON)
    ((_, older),) = lake.file_paths("ledger", DAY, DAY, as_of=NOON)
    ((_, newer),) = lake.file_paths("ledger", DAY, DAY)
    assert older != newer


def test_an_instant_in_another_zone_is_the_same_instant(root: Root) -> None:
    from datetime import timezone

    lake = Lake(root, clock=ticking(NOON.astimezone(timezone(timedelta(hours=-7)))))
    record(lake, DAY, ["1"])
    (state,) = lake.states()
    assert (state.published_at, state.published_at.tzinfo) == (NOON, UTC)
    assert read_as_of(lake, NOON.astimezone(timezone(timedelta(hours=9)))) == ["1"]


def test_a_clock_that_goes_back_never_makes_a_state_older_than_the_one_before(
    root: Root,
) -> None:
    lake = Lake(root, clock=ticking(NOON, NOON - HOUR))
    record(lake, DAY, ["1"])
    record(lake, DAY, ["2"])
    assert [state.published_at for state in lake.states(DAY)] == [NOON, NOON]
    assert read_as_of(lake, NOON - HOUR) == []
    assert read_as_of(lake, NOON) == ["2"]


def test_a_commit_says_what_it_was_computed_from_and_when(root: Root) -> None:
    lake = Lake(root, clock=ticking(NOON))
    inputs = {name: {"digest": f"digest of {name}", "files": {}} for name in ("billing", "usage")}
    record(lake, DAY, ["1"], inputs=inputs, run_id="run 7", kernel="8")
    (state,) = Lake(root).states(DAY)
    assert state.inputs == {"billing": "digest of billing", "usage": "digest of usage"}
    assert (state.recorded_at, state.published_at) == (RECORDED_AT, NOON)
    assert (state.run_id, state.kernel) == ("run 7", "8")
    document = lake.document(state)
    assert (document["schema"], document["run_id"]) == (2, "run 7")


def test_another_digest_of_any_input_is_another_state(root: Root) -> None:
    lake = Lake(root)
    inputs = {name: {"digest": "same", "files": {}} for name in ("billing", "usage")}
    record(lake, DAY, ["1"], inputs=inputs)
    assert record(lake, DAY, ["1"], inputs=inputs).unchanged
    for name in inputs:
        other = {**inputs, name: {"digest": "other", "files": {}}}
        assert not record(lake, DAY, ["1"], inputs=other).unchanged


# -- several files of a table ---------------------------------------------------------------------


def add_operations(lake: Lake, keys: list[str], content: str) -> None:
    """A state whose operations stand beside the ones before; the ledger is replaced."""
    head = lake.head(DAY)
    assert head is not None
    stay = lake.document(head)["files"]
    with lake.staging(DAY) as folder:
        files = day_files(folder, ["5"], RECORDED_AT)
        stored = pa.schema([f for f in SCHEMAS["operations"] if f.name != "charge_date"])
        rows = [
            {"operation_number": number, "operation_key": key}
            for number, key in enumerate(keys, 10)
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=stored), files["operations"][0])
        lake.commit_day(
            DAY,
            {
                "ledger": files["ledger"],
                "operation_costs": [lake.stored(one) for one in stay["operation_costs"]],
                "operations": [*map(lake.stored, stay["operations"]), *files["operations"]],
            },
            manifest(content, RECORDED_AT, previous=head.manifest_id),
        )


def test_late_files_stand_beside_the_base_and_are_read_in_the_tables_order(root: Root) -> None:

    lake = Lake(root)
    record(lake, DAY, ["1", "2", "3"])  # op-0, op-1, op-2
    add_operations(lake, ["op-00", "op-1a", "op-9"], "late")
    keys = ["op-0", "op-1", "op-2", "op-00", "op-1a", "op-9"]  # by number
    assert lake.read("operations", DAY, DAY)["operation_key"].to_pylist() == keys
    rows = lake.read("operations", DAY, DAY, ["charge_date"])  # the order's columns are not asked
    assert rows.schema.names == ["charge_date"]
    assert rows.num_rows == 6
    assert len(lake.file_paths("operations", DAY, DAY)) == 2
    assert len(lake.manifest(DAY)["files"]["operations"]) == 2
    assert lake.differences(DAY) == []
    lake.verify(DAY, DAY)
    theirs = delta(root / "operations").to_pyarrow_table()
    assert sorted(theirs["operation_key"].to_pylist()) == sorted(keys)
    first, _ = lake.states(DAY)
    assert lake.read("operations", DAY, DAY, as_of=first.published_at).num_rows == 3
    record(lake, DAY, ["1"])  # a full run replaces them all
    assert lake.read("operations", DAY, DAY)["operation_key"].to_pylist() == ["op-0"]
    assert lake.differences(DAY) == []


def test_a_kept_file_that_was_damaged_is_refused_before_anything_is_committed(
    root: Root,
) -> None:
    lake = Lake(root)
    record(lake, DAY, ["1"])
    ((_, path),) = lake.file_paths("operation_costs", DAY, DAY)
    standing(root, path).write_bytes(b"")
    with pytest.raises(Refusal, match="was changed"):
        add_operations(lake, ["op-9"], "late")
    assert len(lake.states()) == 1
    standing(root, path).unlink()
    with pytest.raises(Refusal, match="is missing"):
        add_operations(lake, ["op-9"], "late")


def test_revisions_add_up_and_tables_without_rows_have_no_file(root: Root) -> None:
    lake = Lake(root)
    record(lake, DAY, ["1"])
    assert not (root / "ledger_revisions").exists()
    for table, schema in RARE.items():
        assert lake.read(table, DAY, DAY).schema == schema
        assert lake.file_paths(table, DAY, DAY) == []
    record(lake, DAY, ["2"], revisions=["b"], variances=["v"])
    earlier = [lake.stored(one) for one in lake.manifest(DAY)["files"]["ledger_revisions"]]
    with lake.staging(DAY) as folder:
        files = day_files(folder, ["3"], RECORDED_AT, ["a"])
        files["ledger_revisions"] = [*earlier, *files["ledger_revisions"]]
        lake.commit_day(DAY, files, manifest("c", RECORDED_AT))
    changes = lake.read("ledger_revisions", DAY, DAY, ["attribution_id"])
    assert changes["attribution_id"].to_pylist() == ["a", "b"]
    assert lake.read("variances", DAY, DAY).num_rows == 0  # nothing is held any more
    assert lake.differences(DAY) == []


def test_a_day_has_a_ledger_file_even_without_rows(root: Root) -> None:
    lake = Lake(root)
    with lake.staging(DAY) as folder:
        files = day_files(folder, ["1"], RECORDED_AT)
        files["ledger"] = []
        with pytest.raises(Broken, match="has no ledger file"):
            lake.commit_day(DAY, files, manifest("a", RECORDED_AT))
        with pytest.raises(Broken, match="no tables of a day"):
            lake.commit_day(DAY, {"ledgers": []}, manifest("a", RECORDED_AT))


# -- mending, receipts ----------------------------------------------------------------------------


def test_a_day_is_mended_from_the_same_files_and_only_from_them(root: Root) -> None:
    lake = Lake(root)
    first = record(lake, DAY, ["1"])
    for table in SCHEMAS:
        ((_, path),) = lake.file_paths(table, DAY, DAY, check=False)
        path.write_bytes(b"")
    with lake.staging(DAY) as folder, pytest.raises(Refusal, match="gave others"):
        lake.mend_day(DAY, day_files(folder, ["2"], RECORDED_AT))
    with lake.staging(DAY) as folder:
        mended = lake.mend_day(DAY, day_files(folder, ["1"], RECORDED_AT))
    assert (mended.manifest_id, mended.unchanged) == (first.manifest_id, True)
    assert lake.differences(DAY) == []
    assert len(lake.states()) == 1
    with pytest.raises(Broken, match="nothing to mend"):
        lake.mend_day(NEXT, {})


def test_recording_the_same_state_over_damaged_files_heals_them_and_adds_no_state(
    root: Root,
) -> None:
    lake = Lake(root)
    record(lake, DAY, ["1"])
    ((_, path),) = lake.file_paths("ledger", DAY, DAY)
    standing(root, path).write_bytes(b"")
    assert record(lake, DAY, ["1"]).unchanged
    assert len(lake.states()) == 1
    assert lake.differences(DAY) == []


def test_a_receipt_of_what_stands_says_so(root: Root) -> None:
    lake = Lake(root)
    first = record(lake, DAY, ["1"])
    head = lake.head(DAY)
    assert head is not None
    receipt = lake.receipt(head)
    assert (receipt.manifest_id, receipt.unchanged) == (first.manifest_id, True)


def test_states_are_found_among_many_days(root: Root) -> None:
    lake = Lake(root)
    for offset in range(12):
        record(lake, DAY + timedelta(days=11 - offset), [str(offset)])
    assert lake.days() == [DAY + timedelta(days=offset) for offset in range(12)]
    rows = lake.read("ledger", DAY + timedelta(days=2), DAY + timedelta(days=4), ["billed_cost"])
    assert rows["billed_cost"].to_pylist() == [Decimal(9), Decimal(8), Decimal(7)]
    assert amounts_of(lake, date(2026, 10, 16)) == ["0"]


def test_who_computed_from_an_older_state_is_told_and_the_others_tables_stand(
    root: Root,
) -> None:
    lake = Lake(root)
    first = record(lake, DAY, ["1"])
    record(lake, DAY, ["2"])
    with pytest.raises(DayMoved, match="run the day again"):
        record(lake, DAY, ["3"], previous=first.manifest_id)
    assert lake.differences(DAY) == []
