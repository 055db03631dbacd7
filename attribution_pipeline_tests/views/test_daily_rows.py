"""What a roll-up counts once: a charge, a slice's tokens, a trace; and what trying again cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.lake.shapes import schema_of
from attribution_pipeline.views.daily import making
from attribution_pipeline.views.daily.queries import query
from attribution_pipeline.views.dashboard.books import sql_text
from attribution_pipeline.views.spend import spend_view
from attribution_pipeline.views.spend.table import tail

DAY = date(2026, 10, 5)
ROW = {
    "charge_date": DAY, "component": "direct", "leg": "own", "basis": "operations",
    "confidence": "metered", "settlement": "provisional", "policy_version": 1, "surface": "other",
    "service": "s", "billing_currency": "USD", "billed_cost": Decimal(1), "effective_cost": Decimal(1),
}  # fmt: skip


@pytest.fixture
def db() -> Iterator[Session]:
    with session(Compute()) as found:
        yield found


def made(db: Session, table: str, **rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A roll-up of these rows of the published tables."""
    for name in making.READS[table]:
        schema = schema_of(name)
        given = [{**dict.fromkeys(schema.names), **row} for row in rows.get(name, [])]
        db.load(name, pa.Table.from_pylist(given, schema=schema))
    db.execute(f"create table {table} as {query(table)}")
    return db.table(f"select * from {table}").to_pylist()


def ledger(*said: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**ROW, "attribution_id": f"a{n}", "charge_id": "c", **one} for n, one in enumerate(said)
    ]


def test_what_calls_after_a_first_attempt_cost_is_said_beside_the_whole(db: Session) -> None:
    cost = {"charge_date": DAY, "effective_cost": Decimal(0)}
    (row,) = made(
        db,
        "spend_daily",
        ledger=ledger({"billed_cost": Decimal(12)}),
        operations=[
            {"charge_date": DAY, "operation_number": n, "attempt": attempt}
            for n, attempt in ((1, None), (2, 1), (3, 2), (4, 3))
        ],
        operation_costs=[
            *({**cost, "attribution_id": "a0", "operation_number": n, "billed_cost": Decimal(n)}
              for n in (1, 2, 3, 4)),
            # of an operation that ended on the next day: its number is no number of this one
            {**cost, "attribution_id": "a0", "operation_number": 3, "operation_key": "k",
             "billed_cost": Decimal(2)},
        ],
    )  # fmt: skip
    assert (row["billed_cost"], row["request_billed_cost"]) == (Decimal(12), Decimal(12))
    assert row["retry_billed_cost"] == Decimal(7)


def test_a_charge_is_counted_once_though_its_rows_stand_apart(db: Session) -> None:
    open_ = {"unallocated_reason": "no_operation_evidence", "confidence": "unallocated"}
    rows = made(
        db,
        "resources_daily",
        ledger=ledger(
            {**open_, "component": "workload"},
            {**open_, "component": "idle"},
            {**open_, "component": "overhead"},
            {**open_, "component": "workload", "charge_id": "d"},
            {**open_, "component": "overhead", "charge_id": "e"},
        ),
    )
    assert sum(row["charges"] for row in rows if row["component"] != "overhead") == 2
    (shown,) = spend_view(db, "backlog", "billed_cost").to_pylist()
    assert (shown["charges"], shown["billed_cost"]) == (2, Decimal(3))


def test_tokens_of_a_slice_are_those_of_its_widest_charge(db: Session) -> None:
    meter = {"method": "meter", "token_kind": "input", "model": "m", "driver_total": Decimal(100)}
    apart = {"charge_id": "apart", "region": "eu", "driver_total": Decimal(5)}
    rows = made(
        db,
        "spend_daily",
        ledger=ledger(
            {**meter, "driver_quantity": Decimal(30), "tenant_id": "x"},
            {**meter, "driver_quantity": Decimal(70), "leg": "open"},
            {**meter, "driver_quantity": Decimal(30), "charge_id": "correction", "tenant_id": "x"},
            {**meter, "driver_quantity": Decimal(5), **apart},
            {"driver_quantity": Decimal(1000), "method": "share", "model": "m"},
        ),
    )
    tokens = {
        tenant: sum(row["tokens"] or 0 for row in rows if row["tenant_id"] == tenant)
        for tenant in ("x", None)
    }
    assert tokens == {"x": 30, None: 75}
    assert sum(row["tokens"] is None for row in rows) == 1


METER = {
    "method": "meter", "token_kind": "input", "model": "m", "driver_total": Decimal(1_000_000),
    "driver_quantity": Decimal(1_000_000), "surface": "model_inference",
}  # fmt: skip


def regions(db: Session, operations: tuple[int, int]) -> tuple[Decimal, Decimal]:
    """Tokens and price per million of two regions' charges, divided among these operations."""
    told = {"charge_date": DAY, "billed_cost": Decimal(1), "effective_cost": Decimal(1)}
    made(
        db,
        "spend_daily",
        ledger=ledger(
            {**METER, "charge_id": "c-eu", "region": "eu", "sub_account_id": "one"},
            {**METER, "charge_id": "c-us", "region": "us", "sub_account_id": "two"},
        ),
        operation_costs=[
            {**told, "attribution_id": f"a{n}", "operation_number": number}
            for n, number in enumerate(operations)
        ],
    )
    (shown,) = spend_view(db, "model", "billed_cost").to_pylist()
    return shown["tokens"], shown["price_per_million"]


def test_regions_that_calls_do_not_tell_apart_are_one_slice_and_its_tokens_count_once(
    db: Session,
) -> None:
    assert regions(db, (7, 7)) == (Decimal(1_000_000), Decimal(2))


def test_regions_with_calls_of_their_own_are_two_slices_though_as_large(db: Session) -> None:
    assert regions(db, (7, 8)) == (Decimal(2_000_000), Decimal(1))


def test_a_trace_is_counted_once_in_its_workflow_and_its_length_said_wherever_it_is_seen(
    db: Session,
) -> None:
    call = {"charge_date": DAY, "workflow_id": "w", "trace_id": "t", "metered": True}
    rows = made(
        db,
        "calls_daily",
        operations=[
            {**call, "operation_number": 1, "model": "big", "attempt": 1, "visible_output": 5},
            {**call, "operation_number": 2, "model": "small", "attempt": 2, "metered": False},
            {**call, "operation_number": 3, "model": "small", "verdict": "bad_signature"},
            {**call, "operation_number": 4, "workflow_id": "v", "verdict": "unsigned"},
        ],
    )
    of_w = {row["model"]: row for row in rows if row["workflow_id"] == "w"}
    assert {model: (row["traces"], row["longest_chain"]) for model, row in of_w.items()} == {
        "big": (1, 3), "small": (0, 3),
    }  # fmt: skip
    small = of_w["small"]
    assert [small[name] for name in ("calls", "retries", "unmetered", "unverified")] == [2, 1, 1, 1]
    assert (of_w["big"]["visible_output"], small["visible_output"]) == (5, None)
    assert sum(row["traces"] for row in rows) == 2


WHO = {"kind": "read", "tenant_id": "x", "feature": None, "workflow_id": "w", "agent": None,
       "model": None}  # fmt: skip


def make_outcomes(
    db: Session,
    said: list[dict[str, Any]],
    links: list[tuple[int, int]],
    amounts: dict[int, Decimal],
) -> None:
    """Both tables of outcomes 1, 2, ..., of links (outcome, operation) and operations' costs."""
    same = {**WHO, "date": DAY, "matched": True, "value": None}
    outcomes = [{**same, "outcome_number": n, **one} for n, one in enumerate(said, 1)]
    schema = pa.schema(
        [*((name, pa.string()) for name in WHO), ("date", pa.date32()), ("outcome_number", pa.int64()),
         ("useful", pa.bool_()), ("matched", pa.bool_()), ("value", pa.decimal128(38, 12))]
    )  # fmt: skip
    db.load("outcome_rows", pa.Table.from_pylist(outcomes, schema=schema))
    sure = {"confidence": "metered", "settlement": "provisional", "policy_version": 1}
    db.load("links", pa.table({
        "outcome_number": [n for n, _ in links], "operation_number": [n for _, n in links],
        "charge_date": [DAY] * len(links),
    }))  # fmt: skip
    db.load("costs", pa.Table.from_pylist([
        {**sure, "charge_date": DAY, "operation_number": number, "billing_currency": "USD",
         "billed_cost": cost, "effective_cost": cost} for number, cost in amounts.items()
    ]))  # fmt: skip
    for table in ("outcomes_daily", "outcome_costs_daily"):
        db.execute(f"create table {table} as {query(table)}")


FIVE, THREE, TEN = (Decimal(f"{n}.000000000000") for n in (5, 3, 10))


def test_an_operation_behind_two_outcomes_costs_once_and_is_useful_if_one_of_them_is(
    db: Session,
) -> None:
    said = [{"useful": useful} for useful in (False, True, False)]
    make_outcomes(db, said, [(1, 7), (2, 7), (3, 8)], {7: FIVE, 8: THREE})
    found = {
        row["useful"]: row for row in db.table("select * from outcome_costs_daily").to_pylist()
    }
    assert {useful: row["billed_cost"] for useful, row in found.items()} == {
        True: Decimal(5), False: Decimal(3),
    }  # fmt: skip
    (shown,) = spend_view(db, "business", "billed_cost").to_pylist()
    assert (shown["outcomes"], shown["useful"], shown["cost_per_useful"]) == (3, 1, Decimal(8))
    assert shown["not_useful_cost"] == Decimal(3)


def test_an_operation_costs_once_a_kind_though_its_outcomes_are_of_differing_agents(
    db: Session,
) -> None:
    make_outcomes(
        db,
        [
            {"kind": "thumbs", "useful": False, "agent": "a"},
            {"kind": "resolved", "useful": False, "agent": "a"},
            {"kind": "resolved", "useful": True},  # of its whole trace, whose agents differ
        ],
        [(1, 7), (2, 7), (3, 7), (3, 8)],
        {7: TEN, 8: THREE},
    )
    rows = db.table("select * from outcome_costs_daily").to_pylist()
    assert {
        (row["kind"], row["agent"], row["useful"]): (row["operations"], row["billed_cost"])
        for row in rows
    } == {("thumbs", "a", False): (1, TEN), ("resolved", None, True): (2, TEN + THREE)}
    metric = "billed_cost"
    kinds = db.table(sql_text("kinds").format(metric=metric, tail=tail(metric))).to_pylist()
    assert {row["kind"]: row[metric] for row in kinds} == {"thumbs": TEN, "resolved": TEN + THREE}


def test_an_operation_goes_to_who_is_known_before_who_is_not(db: Session) -> None:
    said = [{"useful": True, "tenant_id": None}, {"useful": True, "tenant_id": "x"}]
    make_outcomes(db, said, [(1, 7), (2, 7)], {7: TEN})
    (row,) = db.table("select * from outcome_costs_daily").to_pylist()
    assert (row["tenant_id"], row["operations"]) == ("x", 1)
