"""Budget files and gateway counters: what is read, and what is turned away by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.evidence import RESERVATIONS
from attribution_pipeline.model.reservations import NotAScope, Scope, parse_scope
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.reservations import read_reservations

HEADER = "scope,period_start,period_end,amount,currency"
LINE = "tenant_id = acme,2026-10-01,2026-11-01,1000.000000000001,USD"
ACME = {
    "scope": '{"tenant_id":"acme"}', "period_start": date(2026, 10, 1),
    "period_end": date(2026, 11, 1), "amount": Decimal("1000.000000000001"), "currency": "USD",
}  # fmt: skip


def read(file: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """Rows without nulls and origin, and (position, reason) of what was turned away."""
    (obj,) = list_objects("budgets", file).objects
    rows, rejected = [], []
    with open_object(obj) as opened:
        for batch in read_reservations(opened.data, obj, opened.object_id):
            assert batch.rows.schema.equals(RESERVATIONS)
            rows += batch.rows.to_pylist()
            rejected += [(one.position, one.reason) for one in batch.rejected]
    skipped = ("object_id", "position")
    said = [{k: v for k, v in row.items() if v is not None and k not in skipped} for row in rows]
    return said, rejected


def _csv(file: Path) -> None:
    file.write_text(f"{HEADER}\n{LINE}\n")


def _jsonl(file: Path) -> None:
    file.write_text(
        '{"scope":{"tenant_id":"acme"},"period_start":"2026-10-01","period_end":"2026-11-01T00:00:00Z",'
        '"amount":1000.000000000001,"currency":"USD"}\n'
    )


def _yaml(file: Path) -> None:
    file.write_text(
        "reservations:\n  - {scope: {tenant_id: acme}, period_start: 2026-10-01, "
        "period_end: 2026-11-01, amount: 1000.000000000001, currency: USD}\n"
    )


def _parquet(file: Path) -> None:
    row = {**ACME, "scope": {"tenant_id": "acme", "team": None}}
    pq.write_table(pa.Table.from_pylist([row]), file)


@pytest.mark.parametrize(
    ("name", "write"),
    [("b.csv", _csv), ("b.jsonl", _jsonl), ("b.yaml", _yaml), ("b.parquet", _parquet)],
)
def test_every_format_gives_the_same_reservation_to_the_last_digit(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    assert read(tmp_path / name) == ([ACME], [])


def test_a_gateways_counter_needs_no_amount_but_its_instant(tmp_path: Path) -> None:
    file = tmp_path / "gateway.csv"
    file.write_text(
        "scope,period_start,period_end,currency,gateway,counted,counted_at,key\n"
        "*,2026-10-01,2026-11-01,USD,llm,12.5,2026-10-08T00:00:00+02:00,k-1\n"
        "*,2026-10-01,2026-11-01,USD,llm,13,,k-2\n"
    )
    rows, rejected = read(file)
    assert rejected == [(2, "missing_value")]
    assert rows == [
        {
            "scope": "{}", "period_start": date(2026, 10, 1), "period_end": date(2026, 11, 1),
            "currency": "USD", "gateway": "llm", "counted": Decimal("12.5"),
            "counted_at": datetime(2026, 10, 7, 22, tzinfo=UTC), "x_columns": '{"key":"k-1"}',
        }
    ]  # fmt: skip


WRONG = [
    ("tenant = acme,2026-10-01,2026-11-01,1,USD", "unreadable_scope"),
    ("tenant_id,2026-10-01,2026-11-01,1,USD", "unreadable_scope"),
    ("tenant_id = a; tenant_id = b,2026-10-01,2026-11-01,1,USD", "unreadable_scope"),
    (",2026-10-01,2026-11-01,1,USD", "missing_value"),
    ("*,2026-10-01,2026-10-01,1,USD", "period_not_positive"),
    ("*,2026-10-01,2126-10-01,1,USD", "period_too_long"),
    ("*,01/10/2026,2026-11-01,1,USD", "unreadable_date"),
    ("*,2026-10-01T06:00:00Z,2026-11-01,1,USD", "unreadable_date"),
    ("*,2026-10-01,2026-11-01,-1,USD", "negative_amount"),
    ('*,2026-10-01,2026-11-01,"1,000",USD', "unreadable_amount"),
    ("*,2026-10-01,2026-11-01,0.0000000000001,USD", "amount_too_fine"),
    ("*,2026-10-01,2026-11-01,,USD", "missing_value"),
    ("*,2026-10-01,2026-11-01,1,", "missing_value"),
]


def test_what_cannot_be_a_reservation_is_counted_with_its_reason_and_stops_no_other(
    tmp_path: Path,
) -> None:
    file = tmp_path / "budgets.csv"
    file.write_text("\n".join([HEADER, *(line for line, _ in WRONG), LINE, ""]))
    rows, rejected = read(file)
    assert rows == [ACME]
    assert rejected == [(n, reason) for n, (_, reason) in enumerate(WRONG, start=1)]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("b.csv", "scope,amount\n*,1\n", "missing_columns"),
        ("b.yaml", "budgets: []\n", "missing_columns"),
        ("b.yaml", "reservations: [\n", "broken_yaml"),
    ],
)
def test_a_file_that_holds_none_is_refused_as_a_whole(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ObjectRefused) as refused:
        read(tmp_path / name)
    assert refused.value.reason == reason


def test_budgets_land_with_the_days_of_their_period_and_a_mended_file_replaces_the_first(
    tmp_path: Path,
) -> None:
    store = LandedStore(tmp_path / "lake")
    source = Source("reservations", "budgets", tmp_path / "budgets")
    (tmp_path / "budgets").mkdir()
    for amount in ("1", "2"):
        (tmp_path / "budgets" / "b.csv").write_text(f"{HEADER}\n{LINE.replace('1000', amount)}\n")
        land([source], store)
    assert store.days("reservations") == (date(2026, 10, 1), date(2026, 10, 31))
    assert [len(ids) for ids in store.current_objects("reservations").values()] == [1]
    assert len(store.objects("reservations")) == 2


def test_a_scope_reads_back_from_how_it_is_written() -> None:
    scope = parse_scope(" surface=model_inference ;tenant_id = a=b ")
    assert scope == Scope((("surface", "model_inference"), ("tenant_id", "a=b")))
    assert parse_scope(scope.text) == parse_scope(scope.json) == scope
    assert parse_scope("*") == parse_scope("{}") == Scope()
    with pytest.raises(NotAScope, match="use one of tenant_id"):
        parse_scope("billed_cost = 3")
