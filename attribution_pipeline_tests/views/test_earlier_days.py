"""Charges from before the ledger's first day on the dashboard's pages: each shows them apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.views.dashboard.books import Books
from attribution_pipeline.views.dashboard.pages import budgets, overview, views
from attribution_pipeline.views.dashboard.place import Place
from attribution_pipeline.views.dashboard.view import View
from attribution_pipeline.views.reservation_tables import row
from attribution_pipeline_tests.orchestration.deployments import DAY, place_of, with_value
from attribution_pipeline_tests.proof.replays import History

METRIC = "effective_cost"
COST = Decimal("0.5")
MONTH = DAY.replace(day=1)


def of_an_earlier_day(rows: pa.Table) -> pa.Table:
    place = place_of(rows, unallocated_reason="unmatched_charge")
    return with_value(rows, place, "unallocated_reason", "outside_range")


@pytest.fixture
def books(history: History) -> Iterator[Books]:
    """The worked day, one charge of which is of an earlier day."""
    history.record_otherwise({"ledger": of_an_earlier_day})
    found = Books(load_deployment(history.folder / "attribution.yaml"))
    yield found
    found.close()


def view(books: Books, page: str) -> View:
    return View(books, Place(MONTH, None, "USD", {}), page)


def test_the_pages_show_charges_from_before_the_first_day_apart(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    tied = overview.tied(view(books, "overview"))
    assert tied is not None
    parts = {name: amount for name, amount, _ in tied["parts"]}
    assert parts["before first day"] == COST
    assert sum(parts.values()) + tied["difference"] == tied["billed"]

    product = views.page(view(books, "product"))
    (nobodys,) = [one.record for one in product.sheets[0].rows if one.record["before_first_day"]]
    assert nobodys["before_first_day"] == COST
    assert nobodys["feature"] is None
    assert product.more["stack"][-1] == "before_first_day"

    backlog = views.page(view(books, "backlog")).sheets[0]
    assert backlog.note == (
        "Not in this: 0.50 USD of charges from before the first recorded day, booked on it: nothing "
        "to label."
    )
    assert "outside_range" not in {one.record["unallocated_reason"] for one in backlog.rows}

    def landed(_books: Books) -> list[dict[str, object]]:
        said = {"scope": "*", "period_end": date(2026, 11, 1), "currency": "USD", "name": "all",
                "amount": Decimal(900), "counted": None}  # fmt: skip
        return [{**said, "period_start": first} for first in (MONTH, DAY)]

    monkeypatch.setattr(budgets, "_landed", landed)
    monthly, begun = (row(status, METRIC) for status in budgets._made(view(books, "budgets")))
    whole = tied["billed"]
    assert (monthly["attributed_to_date"], monthly["of_earlier_days"]) == (whole, COST)
    assert (begun["attributed_to_date"], begun["earlier_left_out"]) == (whole - COST, COST)
    mean = whole - COST
    assert monthly["forecast"] == whole + mean * monthly["days_expected"]


def test_a_day_without_such_charges_has_no_column_of_them(recorded_history: History) -> None:
    found = Books(load_deployment(recorded_history.folder / "attribution.yaml"))
    product = views.page(view(found, "product"))
    found.close()
    assert "before_first_day" not in product.sheets[0].data.column_names
    assert "before_first_day" not in product.more["stack"]
