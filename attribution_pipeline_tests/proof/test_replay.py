"""A recorded day comes out again from frozen inputs, or the replay says what is in the way."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pyarrow as pa
import pytest

from attribution_pipeline.orchestration import replaying
from attribution_pipeline.proof.replay import (
    INPUT_GONE,
    NOT_CONSERVED,
    OTHER_RESULT,
    REPRODUCED,
    DayReplay,
    worst,
)
from attribution_pipeline_tests.orchestration.deployments import DAY, place_of, with_value
from attribution_pipeline_tests.proof.replays import History

CENT = Decimal("0.01")
INPUTS = [
    ("billing", "charges"), ("cluster", "pods"), ("cluster", "nodes"), ("cluster", "volumes"),
    ("operations", "operations"), ("usage", "usage"), ("kubernetes", "kubernetes"),
    ("closes", "settled"),
]  # fmt: skip


def replayed(history: History, number: int | None = None) -> DayReplay:
    return replaying.replay(history.house(), history.state(number))


def document(history: History, number: int | None = None):
    return history.house().lake.document(history.state(number))


def moved(amount: Decimal):
    """Move an amount between two rows of one charge, so that everything still adds up."""

    def change(rows: pa.Table) -> pa.Table:
        here = place_of(rows, component="shared", tenant_id="tenant-a", basis="driver")
        there = place_of(
            rows,
            component="shared",
            tenant_id="tenant-b",
            charge_id=rows["charge_id"][here].as_py(),
        )
        for place, delta in ((here, -amount), (there, amount)):
            billed = rows["billed_cost"][place].as_py()
            rows = with_value(rows, place, "billed_cost", billed + delta)
        return rows

    return change


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_every_state_of_a_day_comes_out_again_with_every_column(history: History, number: int):
    found = replayed(history, number)
    assert (found.code, found.differences) == (REPRODUCED, [])
    assert found.state == number
    tables = {rows.table: rows.recorded for rows in found.compared.tables}
    assert tables["ledger"] > 40
    # the first state changes nothing; each later one says what it changed
    assert (tables["ledger_revisions"] > 0) == (number > 1)
    assert "every column, to the quantum" in found.detail


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_states_of_a_closed_period_that_is_held_come_out_again(held: History, number: int):
    found = replayed(held, number)
    assert (found.code, found.detail[-11:]) == (REPRODUCED, "the quantum")
    tables = {rows.table: rows.recorded for rows in found.compared.tables}
    assert (tables["variances"] > 0) == (number > 2)


def test_a_state_that_was_forced_over_a_closed_period_comes_out_again(history: History):
    history.closed()
    history.record()
    history.published(3, "driver: even", "driver: usage.query_units", of=2)
    history.record(force=True)
    assert document(history)["forced"] is True
    assert replayed(history).reproduced


def test_a_replay_says_its_methods_and_kernel_and_sums_of_no_difference(history: History):
    found = replayed(history)
    assert {row.method for row in found.compared.variance} >= {"meter", "node", "share", "tag"}
    assert {row.kernel for row in found.compared.variance} == {found.kernel}
    assert sum(row.rows for row in found.compared.variance) == found.compared.tables[0].recorded
    assert all(row.billed_cost == row.effective_cost == 0 for row in found.compared.variance)


def test_a_replay_writes_nothing_to_the_storage(history: History):
    def content():
        storage = history.folder / "lake"
        return {path: path.stat().st_mtime_ns for path in storage.rglob("*") if path.is_file()}

    before = content()
    replayed(history)
    assert content() == before


def test_a_changed_row_is_named_though_every_digest_agrees(history: History):
    history.record_otherwise({"ledger": moved(CENT)})
    found = replayed(history)
    assert found.code == OTHER_RESULT
    assert found.detail.startswith("2 rows differ, first ledger ")
    assert {difference.column for difference in found.differences} == {"billed_cost"}
    sums = {row.method: row.billed_cost for row in found.compared.variance}
    assert sums["share"] == 2 * CENT


def test_a_changed_row_within_the_tolerance_of_the_policy_is_reproduced(history: History):
    history.published(3, "replay_variance: 0", "replay_variance: 0.01", of=2)
    history.record()
    history.record_otherwise({"ledger": moved(CENT)})
    found = replayed(history)
    assert (found.code, found.tolerance) == (REPRODUCED, CENT)
    assert "2 differ within the tolerance" in found.detail
    history.record_otherwise({"ledger": moved(CENT)})  # now 0.02 away
    assert replayed(history).code == OTHER_RESULT


@pytest.mark.parametrize(
    ("column", "value"), [("revision", 7), ("settlement", "settled"), ("tenant_id", "tenant-c")]
)
def test_columns_that_no_total_shows_are_compared(history: History, column: str, value: object):
    def otherwise(rows: pa.Table) -> pa.Table:
        return with_value(rows, place_of(rows, basis="driver", tenant_id="tenant-a"), column, value)

    inputs = document(history)["inputs"]
    inputs["usage"]["digest"] = "defect"  # else the lake recognises the state that stands
    history.record_otherwise({"ledger": otherwise}, said={"inputs": inputs})
    found = replayed(history)
    assert found.code == OTHER_RESULT
    assert [difference.column for difference in found.differences] == [column]
    assert f"{column}: recorded {value}" in found.detail


def test_changed_request_costs_are_named_by_row_and_operation(history: History):
    def swap(rows: pa.Table) -> pa.Table:
        """Two requests of one row, each with the other's cost."""
        cells = rows.to_pylist()
        for place, row in enumerate(cells):
            twin = next(
                (
                    other for other in range(place + 1, len(cells))
                    if cells[other]["attribution_id"] == row["attribution_id"]
                    and cells[other]["billed_cost"] != row["billed_cost"]
                ),
                None,
            )  # fmt: skip
            if twin is not None:
                for cost in ("billed_cost", "effective_cost"):
                    one, other = row[cost], cells[twin][cost]
                    rows = with_value(with_value(rows, place, cost, other), twin, cost, one)
                return rows
        raise AssertionError("no row has two requests")

    history.record_otherwise({"operation_costs": swap}, said={"output": defect(history)})
    found = replayed(history)
    assert found.code == OTHER_RESULT
    assert {difference.table for difference in found.differences} == {"operation_costs"}


def test_a_table_in_several_files_is_one_table(history: History):
    """Late work adds files beside earlier ones."""

    def in_two(rows: pa.Table) -> list[pa.Table]:
        return [rows.slice(5), rows.slice(0, 5)]

    inputs = document(history)["inputs"]
    inputs["usage"]["digest"] = "defect"  # else the lake recognises the state that stands
    changes = {"operation_costs": in_two, "operations": in_two}
    history.record_otherwise(changes, said={"inputs": inputs})
    assert len(document(history)["files"]["operation_costs"]) == 2
    assert replayed(history).reproduced
    assert replaying.gate_of_day(history.house(), history.state()).passed
    assert replaying.gate_of_month(history.house(), DAY).passed
    # and as the state before the next one
    history.late_spans("later")
    history.record()
    assert replayed(history).reproduced


def defect(history: History):
    """What a manifest says where only its ledger's digest is otherwise: a state of its own."""
    return {**document(history)["output"], "content_digest": "f" * 64}


def test_a_manifest_that_says_other_figures_than_its_rows_is_named(history: History):
    history.record_otherwise(said={"output": defect(history)})
    found = replayed(history)
    assert found.code == OTHER_RESULT
    assert found.detail.startswith("1 figures of the manifest differ")
    assert "content_digest" in found.detail


@pytest.mark.parametrize(("plane", "table"), INPUTS)
def test_an_input_that_was_changed_is_named(history: History, plane: str, table: str):
    *_, entry = document(history)["inputs"][plane]["files"][table]
    path = history.damage(entry)
    found = replayed(history)
    assert found.code == INPUT_GONE
    assert str(path) in found.detail
    assert "changed" in found.detail


def test_an_input_that_is_missing_is_named(history: History):
    (entry,) = document(history)["inputs"]["cluster"]["files"]["pods"]
    path = history.damage(entry)
    path.unlink()
    found = replayed(history)
    assert found.code == INPUT_GONE
    assert str(path) in found.detail
    assert "missing" in found.detail


def test_an_input_with_other_rows_and_consistent_digests_gives_another_result(history: History):
    history.record_otherwise(
        inputs={"usage": {"usage": lambda rows: with_value(rows, 0, "quantity", "999999")}}
    )
    found = replayed(history)
    # version 2 divides vectors evenly, so the report weighs on nothing: take a state that reads it
    assert found.code == REPRODUCED
    history.published(3, "driver: even", "driver: usage.query_units", of=2)
    history.record()
    history.record_otherwise(
        inputs={"usage": {"usage": lambda rows: with_value(rows, 0, "quantity", "999999")}}
    )
    found = replayed(history)
    assert found.code == OTHER_RESULT
    assert "driver_" in found.detail or "_cost" in found.detail


def test_a_policy_document_that_was_changed_is_named(history: History):
    path = history.damage(document(history)["policy"]["file"])
    found = replayed(history)
    assert found.code == INPUT_GONE
    assert "policy worked-day version 2" in found.detail
    assert str(path) in found.detail


def test_rows_of_another_policy_than_the_manifest_names_are_another_result(history: History):
    other = document(history, 1)["policy"]
    history.record_otherwise(said={"policy": other})
    found = replayed(history)
    assert found.code == OTHER_RESULT
    assert "policy worked-day version 1" in found.line()
    assert {difference.column for difference in found.differences} >= {"policy_version"}


def test_a_published_policy_may_be_gone_for_a_replay(history: History):
    shutil.rmtree(history.folder / "policies")
    assert replayed(history).reproduced


@pytest.mark.parametrize("table", ["ledger", "operation_costs", "operations"])
def test_a_changed_file_of_the_recorded_state_is_named(history: History, table: str):
    entry = document(history)["files"][table][-1]
    path = history.damage(entry)
    found = replayed(history)
    assert found.code == INPUT_GONE
    assert str(path) in found.detail


def test_a_changed_file_of_the_state_before_is_named(history: History):
    (entry,) = document(history, 3)["files"]["ledger"]
    path = history.damage(entry)
    found = replayed(history)
    assert found.code == INPUT_GONE
    assert str(path) in found.detail
    assert replayed(history, 2).reproduced


def test_a_changed_manifest_is_named(history: History):
    path = history.damage(history.state(2).manifest_file.as_dict())
    for number in (2, 3):
        found = replayed(history, number)
        assert found.code == INPUT_GONE
        assert str(path) in found.detail
    assert replayed(history, 4).reproduced


def test_a_kernel_that_this_build_lacks_is_refused_with_a_remedy(history: History):
    history.record_otherwise(said={"kernel": "0"})
    found = replayed(history)
    assert found.code == INPUT_GONE
    assert "was computed by kernel 0, and this build has kernel" in found.detail
    assert "replay it with a release that has kernel 0" in found.detail


def lost_a_cent(rows: pa.Table) -> pa.Table:
    place = place_of(rows, component="shared", tenant_id="tenant-b")
    return with_value(rows, place, "billed_cost", rows["billed_cost"][place].as_py() - CENT)


def test_a_recorded_day_that_does_not_add_up_is_said_before_anything_else(history: History):
    history.record_otherwise({"ledger": lost_a_cent})
    (entry,) = document(history)["inputs"]["usage"]["files"]["usage"]
    history.damage(entry)
    found = replayed(history)
    assert found.code == NOT_CONSERVED
    assert "breaches, first" in found.detail
    assert "charge" in found.detail


def test_the_worst_day_decides():
    def of(code: int) -> DayReplay:
        return DayReplay(DAY, code, "", 1, "", None, "", "")

    assert worst([]) == 0
    assert worst(map(of, (0, 3, 0))) == 3
    assert worst(map(of, (3, 4, 0))) == 4
    assert worst(map(of, (4, 5, 3))) == 5
