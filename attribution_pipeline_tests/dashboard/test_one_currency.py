"""Currencies are never added, a status is told by rows, and a call over midnight keeps its name."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.requests import operation_key, operation_rows
from attribution_pipeline.views.dashboard import asked, sheets
from attribution_pipeline.views.dashboard.books import Books, sql_text
from attribution_pipeline.views.dashboard.pages import bill_lines, call, charge, views
from attribution_pipeline.views.dashboard.place import Place
from attribution_pipeline.views.dashboard.view import View
from attribution_pipeline.views.spend import VIEWS
from attribution_pipeline.views.spend.table import tail
from attribution_pipeline_tests.dashboard.asking import ask
from attribution_pipeline_tests.dashboard.companies import DAYS

METRIC = "effective_cost"


def _in_euro(rows: pa.Table) -> pa.Table:
    at = rows.schema.get_field_index("billing_currency")
    return rows.set_column(at, "billing_currency", pa.array(["EUR"] * rows.num_rows))


@pytest.fixture(scope="module")
def dearest(books: Books) -> dict:
    parts = books.lake.read("operation_costs", DAYS[1], DAYS[1]).to_pylist()
    return max((row for row in parts if row["operation_key"] is None), key=lambda row: row[METRIC])


def _view(books: Books, page: str, **query: str) -> View:
    return View(books, Place(DAYS[1].replace(day=1), DAYS[1], "USD"), page, query)


def test_a_call_in_two_currencies_has_a_cost_in_the_shown_one(
    books: Books, dearest: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = _view(books, "call", call=str(dearest["operation_number"]))
    alone = call.page(view)
    rows = asked.call_rows
    monkeypatch.setattr(
        asked, "call_rows",
        lambda *of: pa.concat_tables([rows(*of), _in_euro(rows(*of))]),
    )  # fmt: skip
    both = call.page(view)
    assert both.more["cost"] == alone.more["cost"] > 0
    sheet = both.by_name["charges_of_call"]
    assert sheet.data.num_rows == alone.by_name["charges_of_call"].data.num_rows
    assert "EUR" in sheet.note
    assert not alone.by_name["charges_of_call"].note


def test_a_charge_is_in_its_own_currency(
    books: Books, app, dearest: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, lines = asked.charge_rows, asked.charge_lines
    monkeypatch.setattr(asked, "charge_rows", lambda *of: _in_euro(rows(*of)))
    monkeypatch.setattr(
        asked, "charge_lines", lambda *of: [{**one, "BillingCurrency": "EUR"} for one in lines(*of)]
    )
    view = _view(books, "charge", charge=dearest["charge_id"])
    page = charge.page(view)
    assert page.more["currency"] == "EUR"
    assert page.more["ties"]
    assert page.more["cost"]
    assert all("currency=EUR" in (row.href or "") for row in page.by_name["charge_went_to"].rows)
    url = view.place.url("charge", charge=dearest["charge_id"])
    assert "<small>EUR</small>" in ask(app, url).text


def test_what_costs_only_in_another_currency_is_listed_without_a_cost() -> None:
    rows = pa.table(
        {
            "name": ["a", "a", "b", "c"], "billing_currency": ["USD", "EUR", "EUR", None],
            METRIC: [Decimal(1), Decimal(2), Decimal(3), None],
        }
    )  # fmt: skip
    kept = sheets.each_in_currency(rows, "USD", lambda row: row["name"]).to_pylist()
    assert [(row["name"], row[METRIC]) for row in kept] == [("a", 1), ("b", None), ("c", None)]
    assert sheets.others_said(rows, METRIC, "USD").startswith("Beside it 5.00 EUR.")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("settled", 3), ("restated", 0)], ("restated", 0)),
        ([("restated", 2), ("provisional", 1)], ("restated", 2)),
        ([("provisional", 1), ("provisional", -1)], ("provisional", 0)),
        ([("settled", 1), ("provisional", 0)], ("partly provisional", 0)),
        ([("settled", 0)], ("settled", 0)),
        ([], (None, 0)),
    ],
)
def test_a_status_is_told_by_rows_and_restated_money_is_counted(rows, said) -> None:
    with session(Compute(threads=1)) as db:
        db.execute(
            "create table t (confidence varchar, settlement varchar, policy_version integer, "
            "billed_cost decimal(38, 12), effective_cost decimal(38, 12))"
        )
        for word, cost in rows:
            db.execute(f"insert into t values ('metered', '{word}', 3, {cost}, {cost})")
        (found,) = db.table(f"select {tail(METRIC)} from t").to_pylist()
    assert (found["status"], found["restated"]) == said
    assert found["policy_versions"] == ("3" if rows else "")


@pytest.mark.parametrize("name", list(VIEWS))
def test_every_view_says_what_was_restated(books: Books, name: str) -> None:
    view = View(books, Place(DAYS[0].replace(day=1), None, "USD"), name)
    for sheet in views.page(view).sheets:
        assert {"restated", "status"} <= {*sheet.data.column_names}
        assert all(row.tail is not None for row in sheet.rows)


MIDNIGHT = date(2026, 10, 6)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_call_that_ends_after_midnight_leads_to_the_day_on_which_it_ended(recorded) -> None:
    text = sql_text("calls").format(
        metric=METRIC, tail=tail(METRIC), where="true", after=MIDNIGHT,
        operations=operation_rows("operations"),
    )  # fmt: skip
    shape = (
        "named_by varchar, operation_key varchar, trace_id varchar, span_id varchar, "
        "response_id varchar, provider varchar, model varchar, operation_name varchar, agent varchar, "
        "attempt integer, started_at timestamp, ended_at timestamp, uncached_input bigint, "
        "cache_read bigint, cache_write_5m bigint, cache_write_1h bigint, cache_write_other bigint, "
        "visible_output bigint, reasoning bigint, operation_number bigint, charge_date date"
    )
    with session(Compute(threads=1)) as db:
        db.execute(f"create table operations ({shape})")
        before = "'span', null, 't', 's1', null, 'p', 'm', 'chat', null, 1, timestamp "
        after = before.replace("s1", "s2")
        tokens = "1, 0, 0, 0, 0, 1, 0"
        db.execute(
            f"insert into operations values ({before}'2026-10-05 12:00', timestamp '2026-10-05 12:01', "
            f"{tokens}, 7, date '2026-10-05')"
        )
        if recorded:
            db.execute(
                f"insert into operations values ({after}'2026-10-05 23:59', "
                f"timestamp '2026-10-06 00:01', {tokens}, 107, date '2026-10-06')"
            )
        db.execute(
            "create table ledger as select 'a' as attribution_id, 'operations' as basis, "
            "'metered' as confidence, 'settled' as settlement, 1 as policy_version, "
            "3.0 as billed_cost, 3.0 as effective_cost"
        )
        db.execute(
            "create table operation_costs as select * from (values "
            "('a', 7, cast(null as varchar), 1.0, 1.0), ('a', 8, 't:s2', 2.0, 2.0)) "
            "v(attribution_id, operation_number, operation_key, billed_cost, effective_cost)"
        )
        late, early = db.table(text).to_pylist()
    assert (early["operation_number"], early["called_on"]) == (7, date(2026, 10, 5))
    assert late[METRIC] == 2
    if recorded:
        assert (late["operation_number"], late["called_on"]) == (107, MIDNIGHT)
        assert late["started_at"] == datetime(2026, 10, 5, 23, 59)
    else:
        assert (late["called_on"], late["model"]) == (None, None)


def test_a_call_that_is_found_has_its_part_of_the_day_before_too_in_one_currency() -> None:
    text = sql_text("found_costs").format(
        metric=METRIC, currency="'USD'", key=operation_key(),
        wanted=f"charge_date = date '{MIDNIGHT}' and operation_number = 107",
    )  # fmt: skip
    with session(Compute(threads=1)) as db:
        db.execute(
            "create table operations as select date '2026-10-06' as charge_date, "
            "107 as operation_number, 'span' as named_by, cast(null as varchar) as operation_key, "
            "'t' as trace_id, 's2' as span_id, 'p' as provider, cast(null as varchar) as response_id"
        )
        db.execute(
            "create table ledger as select * from (values ('a', date '2026-10-05', 'USD'), "
            "('a', date '2026-10-06', 'USD'), ('e', date '2026-10-06', 'EUR')) "
            "v(attribution_id, charge_date, billing_currency)"
        )
        db.execute(
            "create table operation_costs as select * from (values "
            "('a', date '2026-10-05', 8, 't:s2', 2.0), ('a', date '2026-10-05', 107, null, 32.0), "
            "('a', date '2026-10-06', 107, null, 1.0), ('e', date '2026-10-06', 107, null, 16.0)) "
            "v(attribution_id, charge_date, operation_number, operation_key, effective_cost)"
        )
        (found,) = db.table(text).to_pylist()
    assert (found["operation_number"], found["cost"]) == (107, Decimal(3))


def test_a_place_is_settled_on_the_metric_of_its_own_last_day(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Said:
        def __init__(self, metric: str) -> None:
            self.settlement, self.metric = self, metric

    metrics = {DAYS[0]: Said("billed_cost"), DAYS[1]: Said("effective_cost")}
    monkeypatch.setattr(books, "policy", metrics.__getitem__)
    month = DAYS[0].replace(day=1)
    assert View(books, Place(month, DAYS[0]), "spend").metric == "billed_cost"
    assert View(books, Place(month), "spend").metric == "effective_cost"


def test_a_quantity_stands_with_its_own_unit() -> None:
    line = dict.fromkeys(
        [*(column for column, _ in bill_lines.FIELDS), "InvoiceId", "InvoiceIssuerName",
         "ProviderName", "BillingAccountId", "BillingCurrency", "ChargePeriodStart",
         "ChargePeriodEnd", "position"], None,
    ) | {
        "object_id": "x", "billed_cost": Decimal(6), "effective_cost": Decimal(6),
        "pricing_quantity": None, "PricingUnit": "1M tokens", "ContractedUnitPrice": "2",
        "ListUnitPrice": None, "consumed_quantity": "3000000", "ConsumedUnit": "tokens",
    }  # fmt: skip
    consumed = bill_lines.shown(line)
    assert (consumed["quantity"], consumed["unit"]) == (3000000, "tokens")
    assert consumed["rate"] is None
    priced = bill_lines.shown({**line, "pricing_quantity": "3"})
    assert (priced["quantity"], priced["unit"], priced["rate"]) == (3, "1M tokens", 2)
    nothing = bill_lines.shown({**line, "pricing_quantity": "0"})
    assert (nothing["quantity"], nothing["unit"]) == (0, "1M tokens")


def test_lines_alike_but_for_their_period_are_one_with_their_exact_sum() -> None:
    columns = [
        *(column for column, _ in bill_lines.FIELDS), "InvoiceId", "InvoiceIssuerName",
        "ProviderName", "BillingAccountId", "ListUnitPrice", "consumed_quantity", "ConsumedUnit",
    ]  # fmt: skip
    hours = [
        dict.fromkeys(columns) | {
            "object_id": "x", "position": hour, "BillingCurrency": "USD", "pricing_quantity": "1",
            "PricingUnit": "Hrs", "ContractedUnitPrice": "1.006",
            "billed_cost": Decimal("1.006"), "effective_cost": Decimal("0.9001"),
            "ChargePeriodStart": datetime(2026, 11, 19, hour), "ChargePeriodEnd":
            datetime(2026, 11, 19, hour) + timedelta(hours=1),
        }
        for hour in reversed(range(24))
    ]  # fmt: skip
    hours[5] |= {"ContractedUnitPrice": "1.007", "billed_cost": Decimal("1.007")}
    folds = bill_lines.folded(hours)
    assert [one["count"] for one in folds] == [23, 1]
    assert [one["billed_sum"] for one in folds] == [Decimal("23.138"), Decimal("1.007")]
    assert sum(one["effective_sum"] for one in folds) == 24 * Decimal("0.9001")
    first, last = folds[0]["from"], folds[0]["to"]
    assert (first, last) == (datetime(2026, 11, 19), datetime(2026, 11, 20))
    assert [one["from"].hour for one in folds[0]["each"]] == [h for h in range(24) if h != 18]


def test_where_a_charge_went_stands_before_the_lines_of_the_bill(app, books: Books) -> None:
    rows = asked.day_charges(books, Place(DAYS[0].replace(day=1), DAYS[0]), DAYS[0]).to_pylist()
    text = ask(app, f"/charge?day={DAYS[0]}&charge={rows[0]['charge_id']}").text
    assert 0 < text.index('id="charge_went_to"') < text.index("The bill's line")
