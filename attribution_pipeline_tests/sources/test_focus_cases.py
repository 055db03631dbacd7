"""Real and official FOCUS data: every row lands or is refused for the reason stated here."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline.sources.focus import read
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.cases import WORKED_DAY, shared
from attribution_pipeline_tests.sources.focus_bills import BILL, OBJECT_ID, Landed, land

EXAMPLES = "focus/spec_examples_v1.2"

NO_BILL = (
    "commitment_discount_purchase_scenario_1",
    "commitment_discount_purchase_scenario_2",
    "commitment_discount_purchase_scenario_3",
    "commitment_discount_usage_scenario_1",
    "commitment_discount_usage_scenario_2",
    "commitment_discount_usage_scenario_3",
    "commitment_discount_usage_scenario_4",
    "one_hundred_percent_utilization_with_commitment_discount_flexibility_with_1_resource",
    "one_hundred_percent_utilization_with_commitment_discount_flexibility_with_2_resources",
    "one_hundred_percent_utilization_without_commitment_discount_flexibility",
    "zero_percent_utilization_without_commitment_discount_flexibility",
)
"""Excerpts of columns: no account, currency, service or issuer."""

SPREADSHEET = {
    # amounts with dollar signs and thousands separators come first
    "simple_saas_agreements_a1": {"unreadable_billed_cost": 1},
    "simple_saas_agreements_a2": {"unreadable_billed_cost": 1},
    "simple_saas_agreements_a3": {"unreadable_billed_cost": 1},
    "simple_saas_agreements_b": {"unreadable_billed_cost": 1},
    "simple_saas_agreements_c": {"unreadable_billed_cost": 3},
    # numbers are fine, dates are 4/1/25, which is January or April
    "saas_spend_agreements_a1": {"unreadable_billing_period_start": 4},
    "saas_spend_agreements_a2": {"unreadable_billing_period_start": 13},
    "saas_spend_agreements_b1": {"unreadable_billing_period_start": 5},
    "saas_spend_agreements_b2": {"unreadable_billing_period_start": 14},
    "virtual_currency_pricing_model_a1": {"unreadable_billing_period_start": 1},
    "virtual_currency_pricing_model_a2": {"unreadable_billing_period_start": 3},
    "virtual_currency_pricing_model_b1": {"unreadable_billing_period_start": 1},
    "virtual_currency_pricing_model_b2": {"unreadable_billing_period_start": 3},
    "virtual_currency_pricing_model_b3": {"unreadable_billing_period_start": 3},
    "virtual_currency_pricing_model_c": {"unreadable_billing_period_start": 2},
}
"""Bills saved by a spreadsheet: read, and every row rejected with what is wrong in it."""


def written(file: Path) -> list[dict[str, str]]:
    """The independent reader: csv and Decimal, nothing of ours."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def total(rows: list[dict[str, str]], column: str) -> Decimal:
    return sum((Decimal(one[column]) for one in rows), Decimal(0))


@pytest.fixture(scope="module")
def sample() -> Landed:
    return land(shared("focus/focus_sample_1000_v1.0.csv").read_bytes())


def test_every_row_of_the_real_sample_is_accounted_for(sample: Landed) -> None:
    positions = sample.table["position"].to_pylist() + [one.position for one in sample.rejected]
    assert sorted(positions) == list(range(1, 1001))
    assert not sample.rejected
    assert sample.rounding_moved == 0


def test_costs_of_the_real_sample_equal_an_independent_sum_exactly(sample: Landed) -> None:
    rows = written(shared("focus/focus_sample_1000_v1.0.csv"))
    landed = sample.table.to_pydict()
    assert sum(landed["BilledCost"]) == total(rows, "BilledCost") != 0
    assert sum(landed["EffectiveCost"]) == total(rows, "EffectiveCost") != 0
    assert sum(map(Decimal, landed["ListCost"])) == total(rows, "ListCost") != 0


def test_costs_of_the_real_sample_are_equal_row_by_row(sample: Landed) -> None:
    rows = written(shared("focus/focus_sample_1000_v1.0.csv"))
    for line, said in zip(sample.rows, rows, strict=True):
        assert line["BilledCost"] == Decimal(said["BilledCost"])
        assert line["BillingAccountId"] == said["BillingAccountId"]
        assert line["ChargePeriodStart"].strftime("%Y-%m-%d %H:%M:%S") == said["ChargePeriodStart"]


def test_the_real_sample_has_its_quirks_taken_out(sample: Landed) -> None:
    rows = sample.rows
    assert not [r for r in rows if "NULL" in r.values() or "" in r.values()]
    assert {r["ChargeFrequency"] for r in rows} <= {"Usage-Based", "One-Time", "Recurring", None}
    assert sum(1 for r in rows if r["Tags"] is None) == 289
    assert not [r for r in rows if r["Tags"] and '" ' in r["Tags"].replace('": "', "")]
    assert all('"Id":"' in r["x_columns"] for r in rows)
    assert all(r["ServiceProviderName"] == r["ProviderName"] for r in rows)


def test_the_worked_day_lands_whole() -> None:
    file = WORKED_DAY / "billing" / "focus.csv"
    landed = land(file.read_bytes())
    assert landed.table.num_rows == len(written(file)) == 12
    assert sum(landed.table["BilledCost"].to_pylist()) == total(written(file), "BilledCost")


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_reference_exports_of_each_version_land_whole(version: str) -> None:
    file = shared(f"focus/export_reference/ledger_export_example_{version}.csv")
    landed = land(file.read_bytes())
    assert landed.table.num_rows == len(written(file))
    assert sum(landed.table["BilledCost"].to_pylist()) == total(written(file), "BilledCost")
    assert None not in landed.table["InvoiceIssuerName"].to_pylist()
    assert None not in landed.table["ServiceProviderName"].to_pylist()


@pytest.mark.parametrize("name", NO_BILL)
def test_an_official_excerpt_without_mandatory_columns_is_refused_by_name(name: str) -> None:
    file = shared(f"{EXAMPLES}/{name}.csv")
    obj = SourceObject("bill", str(file), file.name, file.stat().st_size, "0-0")
    with pytest.raises(ObjectRefused) as caught:
        list(read(file.read_bytes(), obj, hashlib.sha256(file.read_bytes()).hexdigest()))
    assert caught.value.reason == "missing_columns"
    assert f"{name}.csv: is no FOCUS bill" in caught.value.line()
    assert "BillingAccountId, BillingCurrency, ServiceName" in caught.value.line()


@pytest.mark.parametrize("name", SPREADSHEET)
def test_an_official_example_saved_by_a_spreadsheet_has_every_row_rejected_with_reason(
    name: str,
) -> None:
    file = shared(f"{EXAMPLES}/{name}.csv")
    landed = land(file.read_bytes())
    assert landed.table.num_rows == 0
    assert Counter(one.reason for one in landed.rejected) == SPREADSHEET[name]
    assert len(landed.rejected) == len(written(file))


def test_the_stated_reasons_cover_every_official_example() -> None:
    files = {file.stem for file in shared(EXAMPLES).glob("*.csv")}
    assert files == {*NO_BILL, *SPREADSHEET}


def test_an_official_example_lands_once_its_dates_are_iso() -> None:
    """Byte order mark, virtual currency, third-party prices: only the dates were in the way."""
    data = shared(f"{EXAMPLES}/virtual_currency_pricing_model_a2.csv").read_bytes()
    for date, iso in (
        (b"5/1/25", b"2025-05-01"),
        (b"4/1/25", b"2025-04-01"),
        (b"4/2/25", b"2025-04-02"),
    ):
        data = data.replace(date, iso)
    batches = list(read(data, BILL, OBJECT_ID))
    costs = [cost for batch in batches for cost in batch.rows["EffectiveCost"].to_pylist()]
    assert costs == [Decimal(490), Decimal(20), Decimal(720)]
