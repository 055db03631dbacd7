"""The ledger as people and programs take it: exact in every format, and safe to open."""

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
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.ledger import LEDGER
from attribution_pipeline.views import ledger as view
from attribution_pipeline.views import output
from attribution_pipeline.views.cells import FORMULA_STARTS, csv_cell, terminal_cell

BIG = Decimal("12345678901234567890123.000000000001")


def rows_of(*records: dict[str, Any]) -> pa.Table:
    """A ledger with these values; nulls elsewhere."""
    whole = []
    for number, record in enumerate(records):
        row = dict.fromkeys(LEDGER.names)
        row |= {
            "attribution_id": f"id{number}", "charge_date": date(2026, 10, 5),
            "component": "direct", "billed_cost": Decimal(0), "effective_cost": Decimal(0),
            "billing_currency": "USD", "policy_version": 1, "revision": 1,
            "recorded_at": datetime(2026, 10, 6, 7, 8, 9, tzinfo=UTC), **record,
        }  # fmt: skip
        whole.append(row)
    return pa.Table.from_pylist(whole, schema=LEDGER)


def _lines(rows: pa.Table, format_: str) -> list[str]:
    said: list[str] = []
    view.write(rows, format_, None, said.append)
    return said


def test_whole_ledger_is_in_schema_order_sorted_by_day_and_id() -> None:
    rows = rows_of(
        {"attribution_id": "b"}, {"attribution_id": "a", "charge_date": date(2026, 10, 6)},
        {"attribution_id": "a"},
    )  # fmt: skip
    ordered = view.in_order(rows.select(LEDGER.names[::-1]))
    assert ordered.column_names == LEDGER.names
    assert ordered.column("attribution_id").to_pylist() == ["a", "b", "a"]


def test_sums_by_group_are_exact_where_a_float_would_not_be() -> None:
    rows = rows_of(
        {"tenant_id": "acme", "billed_cost": BIG, "effective_cost": Decimal("0.1")},
        {"tenant_id": "acme", "billed_cost": Decimal("0.000000000001"),
         "effective_cost": Decimal("0.2")},
        {"tenant_id": None, "billed_cost": Decimal("-1"), "effective_cost": Decimal("-1")},
    )  # fmt: skip
    assert view.summed(rows, ["tenant_id"]).to_pylist() == [
        {"tenant_id": "acme", "billing_currency": "USD",
         "billed_cost": Decimal("12345678901234567890123.000000000002"),
         "effective_cost": Decimal("0.3")},
        {"tenant_id": None, "billing_currency": "USD", "billed_cost": Decimal(-1),
         "effective_cost": Decimal(-1)},
    ]  # fmt: skip


def test_currencies_are_never_added() -> None:
    rows = rows_of(
        {"billed_cost": Decimal(1)}, {"billed_cost": Decimal(2), "billing_currency": "EUR"},
        {"billed_cost": Decimal(4)},
    )  # fmt: skip
    found = view.summed(rows, ["component"]).to_pylist()
    assert [(row["billing_currency"], row["billed_cost"]) for row in found] == [
        ("EUR", Decimal(2)), ("USD", Decimal(5)),
    ]  # fmt: skip
    assert view.totals(rows) == [("EUR", Decimal(2), Decimal(0)), ("USD", Decimal(5), Decimal(0))]


@pytest.mark.parametrize(
    ("by", "line"),
    [
        ("tenant", "--by: `tenant` is no column to group by; did you mean `tenant_id`?"),
        ("model,model", "--by: `model` is named twice; name it once"),
        (" , ", "--by: names no column; as in --by tenant_id,component"),
        ("billing_currency", "--by: `billing_currency` is always a group; leave it out"),
        ("billed_cost", "--by: `billed_cost` is what is summed; leave it out"),
        (
            "identity_source",
            "--by: `identity_source` is no column to group by; it is of `operations`, a "
            "row a call, and rows of the ledger are sums of calls: `attribution call ID`",
        ),
    ],
)
def test_column_that_rows_cannot_be_grouped_by_is_refused(by: str, line: str) -> None:
    with pytest.raises(Refusal) as refused:
        view.grouping(by)
    assert refused.value.line().startswith(line)


def test_a_column_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(Refusal) as refused:
        view.grouping("zzz")
    told = refused.value.line().removeprefix("--by: `zzz` is no column to group by; use one of: ")
    assert told.split(", ") == [
        name for name in LEDGER.names if name not in (*view.COSTS, view.CURRENCY)
    ]


def test_csv_has_twelve_decimals_iso_times_and_empty_nulls() -> None:
    rows = rows_of({"billed_cost": Decimal("1E-12"), "effective_cost": Decimal("-0.5")})
    (record,) = csv.DictReader(io.StringIO("\n".join(_lines(rows, "csv"))))
    assert list(record) == LEDGER.names
    assert record["billed_cost"] == "0.000000000001"
    assert record["effective_cost"] == "-0.500000000000"
    assert record["tenant_id"] == ""
    assert record["charge_date"] == "2026-10-05"
    assert record["recorded_at"] == "2026-10-06T07:08:09Z"
    assert "E-" not in "".join(_lines(rows, "csv"))


@pytest.mark.parametrize("start", sorted(FORMULA_STARTS))
def test_csv_cell_that_a_spreadsheet_would_run_is_disarmed(start: str) -> None:
    cell = csv_cell(f"{start}HYPERLINK(1)")
    assert cell.startswith("\"'" + start)


@given(st.text(max_size=30))
def test_any_text_survives_csv_and_never_begins_a_formula(text: str) -> None:
    ((read,),) = csv.reader(io.StringIO(csv_cell(text) + "\n", newline=""))
    assert read[:1] not in FORMULA_STARTS or not read
    assert read.removeprefix("'") == text or read == text


def test_negative_amount_in_csv_stays_a_number() -> None:
    assert csv_cell(Decimal("-1.000000000000")) == "-1.000000000000"


def test_json_carries_amounts_as_text_and_text_as_it_is() -> None:
    rows = rows_of({"billed_cost": BIG, "tenant_id": "=1+1"}, {})
    found = json.loads("\n".join(_lines(rows, "json")))
    assert found[0]["billed_cost"] == str(BIG)
    assert found[0]["tenant_id"] == "=1+1"
    assert found[1]["tenant_id"] is None
    assert json.loads("".join(_lines(rows[:0], "json"))) == []


def test_parquet_round_trips_and_needs_a_file(tmp_path: Path) -> None:
    rows = rows_of({"billed_cost": BIG})
    with pytest.raises(Refusal, match="parquet is not text; name a file: --out F"):
        view.write(rows, "parquet", None, print)
    view.write(rows, "parquet", tmp_path / "l.parquet", print)
    assert pq.read_table(tmp_path / "l.parquet").equals(rows)


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    rows = rows_of({})
    out = tmp_path / "l.csv"
    view.write(rows, "csv", out, print)
    assert out.read_text().splitlines() == _lines(rows, "csv")
    with pytest.raises(Refusal, match="cannot be written"):
        view.write(rows, "csv", tmp_path / "none" / "l.csv", print)
    assert [path.name for path in tmp_path.iterdir()] == ["l.csv"]


def test_failure_while_writing_leaves_the_older_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "l.csv"
    out.write_text("older")

    def full(_rows: pa.Table) -> Any:
        yield "charge_date"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "csv_lines", full)
    with pytest.raises(Refusal, match="No space left on device"):
        view.write(rows_of({}), "csv", out, print)
    assert [path.name for path in tmp_path.iterdir()] == ["l.csv"]
    assert out.read_text() == "older"


def test_table_shows_totals_per_currency_and_how_much_is_not_shown() -> None:
    rows = rows_of(*[{"billed_cost": Decimal(1)}] * (view.MOST_SHOWN + 1))
    said = _lines(rows, "table")
    assert f"total USD: billed {view.MOST_SHOWN + 1}.000000000000, effective 0.000000000000" in said
    assert f"{view.MOST_SHOWN + 1} rows, of which the first {view.MOST_SHOWN} are shown" in said
    assert said[0].split() == list(view.SHOWN)


def test_table_counts_rows_at_zero_and_shows_the_others() -> None:
    """A row whose support vanished stays on record at zero; nobody who reads a bill needs it."""
    rows = rows_of(
        {"tenant_id": "gone"}, {"tenant_id": "acme", "billed_cost": Decimal(1)},
        {"tenant_id": "credit", "effective_cost": Decimal("-0.000000000001")},
    )  # fmt: skip
    said = _lines(rows, "table")
    assert "gone" not in "".join(said)
    assert all(any(name in line for line in said) for name in ("acme", "credit"))
    assert "1 row at zero in both costs not shown" in said
    assert "rows at zero in both costs not shown" not in "".join(_lines(rows[1:], "table"))
    assert len(_lines(rows, "csv")) == 1 + 3
    assert len(json.loads("".join(_lines(rows, "json")))) == 3


def test_zero_sums_of_groups_are_shown() -> None:
    rows = rows_of({"tenant_id": "acme"})
    assert _lines(view.summed(rows, ["tenant_id"]), "table")[2].split()[0] == "acme"


def test_groups_of_nothing_but_rows_at_zero_are_counted_and_left_out() -> None:
    ten = {"billed_cost": Decimal(10), "effective_cost": Decimal(10)}
    credit = {name: -amount for name, amount in ten.items()}
    rows = rows_of(
        {"tenant_id": "paid", **ten}, {"tenant_id": "paid"}, {"tenant_id": "gone"},
        {"tenant_id": "even", **ten}, {"tenant_id": "even", **credit},
    )  # fmt: skip
    every, some = view.summed(rows, ["tenant_id"]), view.summed_at_some_cost(rows, ["tenant_id"])
    said: list[str] = []
    view.write(every, "table", None, said.append, some)
    assert [line.split()[0] for line in said[2:4]] == ["even", "paid"]
    assert "gone" not in "".join(said)
    assert said[-1] == "1 group at zero is left out"
    said.clear()
    view.write(every, "csv", None, said.append, some)
    assert "gone" in "".join(said)


def test_table_of_sums_lines_up() -> None:
    rows = rows_of({"tenant_id": "acme", "billed_cost": Decimal(10)}, {"tenant_id": "b"})
    assert _lines(view.summed(rows, ["tenant_id"]), "table") == [
        "tenant_id  billing_currency      billed_cost  effective_cost",
        "---------  ----------------  ---------------  --------------",
        "acme       USD               10.000000000000  0.000000000000",
        "b          USD                0.000000000000  0.000000000000",
        "",
        "total USD: billed 10.000000000000, effective 0.000000000000",
    ]


def test_terminal_shows_control_characters_and_does_not_obey_them() -> None:
    assert terminal_cell("\x1b[31mred\u202e\n") == "\\u001b[31mred\\u202e\\u000a"


def test_a_filter_never_changes_a_share(tmp_path):
    """Invariant 5: what one tenant sees alone is what it has among all."""
    from attribution_pipeline_tests.attribution.days import METERS, call, day, token_line

    spans = [call(n, tenant, uncached_input=n) for n, tenant in enumerate("abcab", 1)]
    lines = [token_line(1, "10", "m-uncached", 20)]
    table = pa.Table.from_pylist(day(tmp_path, METERS, lines=lines, spans=spans).ledger)
    whole = {
        row["tenant_id"]: row["billed_cost"]
        for row in view.summed(table, ["tenant_id"]).to_pylist()
    }
    for tenant, cost in whole.items():
        mine = table.filter(pa.array([t == tenant for t in table["tenant_id"].to_pylist()]))
        alone = {
            row["tenant_id"]: row["billed_cost"]
            for row in view.summed(mine, ["tenant_id"]).to_pylist()
        }
        assert alone == {tenant: cost}
