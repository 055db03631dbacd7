"""Changes of rows as people read them: by cause, exact, in the four formats."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.ledger import LEDGER_REVISIONS, VARIANCES
from attribution_pipeline.views import revisions as view

AT = datetime(2026, 10, 7, 4, tzinfo=UTC)


def changed(*records: dict[str, Any]) -> pa.Table:
    """Revisions with these values; amounts are the deltas' own."""
    whole = []
    for number, record in enumerate(records):
        row = dict.fromkeys(LEDGER_REVISIONS.names)
        row |= {
            "attribution_id": f"id{number}" + "0" * 60, "charge_date": date(2026, 10, 5),
            "component": "direct", "revision": 2, "billing_currency": "USD", "cause": "late_spans",
            "delta_billed_cost": Decimal(0), "delta_effective_cost": Decimal(0),
            "recorded_at": AT, "forced": False, **record,
        }  # fmt: skip
        whole.append(row)
    return pa.Table.from_pylist(whole, schema=LEDGER_REVISIONS)


def both(amount: str) -> dict[str, Any]:
    return {"delta_billed_cost": Decimal(amount), "delta_effective_cost": Decimal(amount)}


def held(*records: dict[str, Any]) -> pa.Table:
    whole = [dict.fromkeys(VARIANCES.names) | {"charge_date": date(2026, 10, 5)} | record
             for record in records]  # fmt: skip
    return pa.Table.from_pylist(whole, schema=VARIANCES)


def _lines(rows: pa.Table, table: str, format_: str) -> list[str]:
    said: list[str] = []
    view.write(rows, table, format_, None, said.append)
    return said


def test_a_day_s_changes_are_one_line_with_rows_causes_and_what_came_and_went() -> None:
    rows = changed(both("1.607"), both("-1.607"))
    assert view.changes(rows, "effective_cost") == (
        "2 rows (late_spans), 1.607 USD added, 1.607 USD taken away"
    )


def test_several_causes_are_counted_each_and_currencies_stay_apart() -> None:
    rows = changed(
        both("2"), {**both("1"), "cause": "correction"},
        {**both("-0.000000000001"), "billing_currency": "EUR"},
    )  # fmt: skip
    assert view.changes(rows, "billed_cost") == (
        "3 rows (1 correction, 2 late_spans), 0.000000000001 EUR taken away, 3 USD added"
    )


def test_what_came_is_told_in_the_metric_that_is_asked_for() -> None:
    rows = changed({"delta_billed_cost": Decimal(5), "delta_effective_cost": Decimal(4)})
    assert view.changes(rows, "billed_cost") == "1 row (late_spans), 5 USD added"
    assert view.changes(rows, "effective_cost") == "1 row (late_spans), 4 USD added"


def test_a_change_of_no_cost_is_told_as_one() -> None:
    assert view.changes(changed(both("0")), "billed_cost") == "1 row (late_spans), no cost"


def test_nothing_changed_is_no_line() -> None:
    assert view.changes(changed(), "billed_cost") == ""
    assert view.footer(changed(), view.REVISIONS) == ["no row was changed"]
    assert view.footer(held(), view.VARIANCES) == ["nothing is held back"]


def test_the_footer_has_a_line_for_each_cause_with_moved_and_net() -> None:
    rows = changed(both("1"), both("-1"), {**both("20"), "cause": "late_billing"})
    assert view.footer(rows, view.REVISIONS) == [
        "late_billing: 1 row, billed moved 20, net +20 USD, effective moved 20, net +20 USD",
        "late_spans: 2 rows, billed moved 2, net 0 USD, effective moved 2, net 0 USD",
        "3 rows changed in all",
    ]


def test_the_table_shows_short_ids_and_the_footer_and_csv_carries_all() -> None:
    rows = changed(both("1.5"))
    said = _lines(rows, view.REVISIONS, "table")
    assert said[0].split() == list(view.SHOWN[view.REVISIONS])
    assert said[2].endswith("id0000000000")
    assert said[-1] == "1 row changed in all"
    (record,) = csv.DictReader(io.StringIO("\n".join(_lines(rows, view.REVISIONS, "csv"))))
    assert list(record) == LEDGER_REVISIONS.names
    assert (record["attribution_id"], record["delta_billed_cost"]) == ("id0" + "0" * 60,
                                                                       "1.500000000000")  # fmt: skip


def test_json_and_parquet_carry_every_column(tmp_path: Path) -> None:
    rows = changed(both("1"), both("-1"))
    assert len(json.loads("".join(_lines(rows, view.REVISIONS, "json")))) == 2
    view.write(rows, view.REVISIONS, "parquet", tmp_path / "r.parquet", print)
    assert pq.read_table(tmp_path / "r.parquet").equals(rows)


def test_rows_come_by_day_then_as_they_were_recorded() -> None:
    rows = changed(
        {"charge_date": date(2026, 10, 6)}, {"recorded_at": AT.replace(day=9)}, {},
    )  # fmt: skip
    ordered = view.in_order(rows, view.REVISIONS)
    assert [name[:3] for name in ordered["attribution_id"].to_pylist()] == ["id2", "id1", "id0"]


def test_what_is_held_is_told_beside_what_it_would_be() -> None:
    rows = held(
        {"billed_cost": Decimal(3), "effective_cost": Decimal(2), "billing_currency": "USD",
         "held_billed_cost": Decimal(1), "held_effective_cost": Decimal(1)},
    )  # fmt: skip
    assert view.footer(rows, view.VARIANCES) == [
        "1 row of closed periods held: what today's evidence would change",
        "billed: the ledger keeps 1, it would be 3 USD",
        "effective: the ledger keeps 1, it would be 2 USD",
    ]
    assert _lines(rows, view.VARIANCES, "table")[0].split() == list(view.SHOWN[view.VARIANCES])


def test_amounts_in_sentences_have_no_trailing_zeros() -> None:
    texts = ["3.214000000000", "10.000000000000", "-0.500000000000", "0E-12", "100"]
    assert [view.plain(Decimal(text)) for text in texts] == ["3.214", "10", "-0.5", "0", "100"]
