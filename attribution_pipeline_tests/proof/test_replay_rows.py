"""Recorded rows against replayed rows: every column counts, amounts within the tolerance."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.model.evidence import MONEY
from attribution_pipeline.proof.replay import schemas
from attribution_pipeline.proof.replay_rows import KEYS, STANDS, Compared, compare

NOT_COMPARED = ("charge_date", "attribution_id")
"""The partition, and what names a row."""

QUANTUM = Decimal("0.000000000001")


def row(attribution_id: str, **cells):
    return {
        "attribution_id": attribution_id,
        "charge_id": "c",
        "tenant_id": "acme",
        "billed_cost": Decimal(10),
        "effective_cost": Decimal(9),
        "billing_currency": "USD",
        "method": "meter",
        "kernel": "1",
        "revision": 1,
        **cells,
    }


@pytest.fixture
def compared(tmp_path: Path):
    def run(recorded, replayed, *, table: str = "ledger", tolerance=Decimal(0)) -> Compared:
        shapes = schemas()
        files = {}
        for side, rows in (("recorded", recorded), ("replayed", replayed)):
            stored = pa.schema([field for field in shapes[table] if field.name != "charge_date"])
            path = tmp_path / f"{side}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, schema=stored), path)
            files[side] = {table: [str(path)]}
        return compare(files["recorded"], files["replayed"], shapes, tolerance, Compute(threads=1))

    return run


def of(found: Compared, table: str = "ledger"):
    return next(rows for rows in found.tables if rows.table == table)


def test_equal_rows_in_equal_files_are_exact(compared):
    found = compared([row("a"), row("b")], [row("a"), row("b")])
    assert found.exact
    assert (of(found).recorded, of(found).replayed) == (2, 2)
    assert [(v.method, v.kernel, v.rows, v.differing) for v in found.variance] == [
        ("meter", "1", 2, 0)
    ]


def test_equal_rows_in_another_order_are_exact(compared):
    assert compared([row("a"), row("b")], [row("b"), row("a")]).exact


def another(kind: pa.DataType):
    if pa.types.is_timestamp(kind):
        return datetime(2026, 10, 9, tzinfo=UTC)
    if pa.types.is_date(kind):
        return date(2026, 10, 9)
    return "otherwise" if pa.types.is_string(kind) else 7


def test_every_column_of_the_ledger_is_compared(compared):
    shape = [field for field in schemas()["ledger"] if field.name not in NOT_COMPARED]
    for few in (shape[:10], shape[10:20], shape[20:30], shape[30:]):
        found = compared(
            [row(field.name) for field in few],
            [row(field.name, **{field.name: another(field.type)}) for field in few],
        )
        assert {(d.key, d.column) for d in found.differences} == {(f.name, f.name) for f in few}


def test_a_quantum_is_a_difference_and_its_size_is_summed_by_method(compared):
    found = compared(
        [row("a"), row("b", method="node")],
        [row("a", billed_cost=Decimal(10) - QUANTUM), row("b", method="node")],
    )
    assert [d.line() for d in found.differences] == [
        "ledger a billed_cost: recorded 10.000000000000, replayed 9.999999999999"
    ]
    sums = {v.method: (v.differing, v.billed_cost, v.effective_cost) for v in found.variance}
    assert sums == {"meter": (1, QUANTUM, 0), "node": (0, 0, 0)}


def test_an_amount_within_the_tolerance_is_counted_and_not_a_difference(compared):
    found = compared(
        [row("a")], [row("a", billed_cost=Decimal("10.01"))], tolerance=Decimal("0.01")
    )
    assert found.differing == 0
    assert of(found).tolerated == 1
    assert not found.exact
    assert found.variance[0].billed_cost == Decimal("0.01")


def test_an_amount_over_the_tolerance_is_a_difference(compared):
    found = compared(
        [row("a")], [row("a", effective_cost=Decimal("9.0100000001"))], tolerance=Decimal("0.01")
    )
    assert found.differing == 1


def test_the_tolerance_is_for_amounts_alone(compared):
    found = compared([row("a")], [row("a", revision=2)], tolerance=Decimal(1000))
    assert [d.column for d in found.differences] == ["revision"]


@pytest.mark.parametrize(("sides", "recorded", "replayed"), [
    ((2, 1), "billed_cost 10.000000000000, effective_cost 9.000000000000", "no such row"),
    ((1, 2), "no such row", "billed_cost 10.000000000000, effective_cost 9.000000000000"),
])  # fmt: skip
def test_a_row_on_one_side_alone_is_a_difference_whatever_the_tolerance(
    compared, sides, recorded, replayed
):
    found = compared(*([row("a"), row("b")][:count] for count in sides), tolerance=Decimal(1000))
    (difference,) = found.differences
    assert (difference.key, difference.column) == ("b", STANDS)
    assert (difference.recorded, difference.replayed) == (recorded, replayed)


def test_a_row_that_stands_twice_is_a_difference(compared):
    found = compared([row("a"), row("a")], [row("a")])
    assert found.differing == 1
    assert found.differences[0].recorded == "2 times"


def test_only_the_first_differences_are_named_and_all_are_counted(compared):
    names = [f"{n:03}" for n in range(100)]
    found = compared([row(n) for n in names], [row(n, tenant_id="globex") for n in names])
    assert found.differing == 100
    assert [d.key for d in found.differences] == names[:20]


def test_request_costs_are_compared_by_row_and_operation(compared):
    costs = {"attribution_id": "a", "charge_id": "c", "weight": 1, "effective_cost": Decimal(1)}
    rows = [
        {**costs, "operation_number": number, "billed_cost": Decimal(number)} for number in (1, 2)
    ]
    swapped = [
        {**rows[0], "billed_cost": Decimal(2)}, {**rows[1], "billed_cost": Decimal(1)}
    ]  # fmt: skip
    found = compared(rows, swapped, table="operation_costs")
    assert [d.key for d in found.differences] == ["a/1", "a/2"]


def test_all_published_tables_of_a_day_are_compared():
    from attribution_pipeline.lake.shapes import MANIFESTS, TABLES

    assert set(KEYS) == set(TABLES) - {MANIFESTS}


def test_amounts_are_the_columns_in_the_ledgers_money():
    assert schemas()["ledger"].field("billed_cost").type == MONEY
