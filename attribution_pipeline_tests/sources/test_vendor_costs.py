"""OpenAI's and Anthropic's cost and usage pages as a bill: exact, by day, by delivery."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.evidence import CHARGE_LINES
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.objects import SourceObject, list_objects
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.vendor_costs import discover, read
from attribution_pipeline_tests.sources.landings import standing

PAGE = SourceObject("bill", "/bills/costs-0001.json", "costs-0001.json", 0, "0-0", "run", "run")
DAY = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp())


def openai_page(*results: str, start: int = DAY, end: int = DAY + 86_400) -> bytes:
    """Results as JSON text, so that numbers stand as a server writes them."""
    bucket = f'{{"object":"bucket","start_time":{start},"end_time":{end},"results":[{",".join(results)}]}}'
    return f'{{"object":"page","data":[{bucket}],"has_more":false,"next_page":null}}'.encode()


def openai_cost(value: str = "0.06", item: str = "gpt-5.5, input", **more: Any) -> str:
    extra = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in more.items())
    return (
        '{"object":"organization.costs.result","amount":{"value":' + value + ',"currency":"usd"},'
        f'"line_item":{json.dumps(item)},"project_id":"proj_a"{extra}}}'
    )


def anthropic_page(*results: dict[str, Any], start: str = "2026-10-05T00:00:00Z") -> bytes:
    bucket = {"starting_at": start, "ending_at": "2026-10-06T00:00:00Z", "results": results}
    return json.dumps({"data": [bucket], "has_more": False, "next_page": None}).encode()


def anthropic_cost(amount: str = "123.45", **changes: Any) -> dict[str, Any]:
    return {
        "amount": amount, "currency": "USD", "cost_type": "tokens", "model": "claude-x",
        "token_type": "output_tokens", "service_tier": "standard", "context_window": "0-200k",
        "workspace_id": None, "description": "Claude X Usage - Output Tokens", **changes,
    }  # fmt: skip


def batch(page: bytes, format: str = "openai") -> Batch:
    (found,) = read(page, PAGE, "ab" * 32, format=format, account="org-1")
    assert found.rows.schema == CHARGE_LINES
    return found


def rows(page: bytes, format: str = "openai") -> list[dict[str, Any]]:
    found = batch(page, format)
    assert found.rejected == []
    return found.rows.to_pylist()


def test_openai_amount_is_the_digits_of_the_page_and_what_rounding_moved_is_counted() -> None:
    found = batch(openai_page(openai_cost("0.12345678901234567"), openai_cost("1e-7")))
    amounts = [row["BilledCost"] for row in found.rows.to_pylist()]
    assert amounts == [Decimal("0.123456789012"), Decimal("0.000000100000")]
    assert found.rounding_moved == 2 * Decimal("0.00000000000034567")


@settings(deadline=None, max_examples=50)
@given(st.decimals(-(10**9), 10**9, places=12))
def test_openai_amount_of_twelve_places_is_never_moved(amount: Decimal) -> None:
    found = batch(openai_page(openai_cost(f"{amount:f}")))
    assert found.rows["BilledCost"].to_pylist() == [amount]
    assert found.rounding_moved == 0


@settings(deadline=None, max_examples=50)
@given(st.decimals(-(10**9), 10**9, places=10))
def test_anthropic_amount_is_a_hundredth_of_what_is_written(cents: Decimal) -> None:
    found = batch(anthropic_page(anthropic_cost(f"{cents:f}")), "anthropic")
    assert found.rows["BilledCost"].to_pylist() == [cents / 100]
    assert found.rows["EffectiveCost"].to_pylist() == [cents / 100]


def test_anthropic_cents_are_no_dollars_and_are_kept_as_written() -> None:
    (row,) = rows(anthropic_page(anthropic_cost("123.45")), "anthropic")
    assert row["BilledCost"] == Decimal("1.2345")
    assert json.loads(row["x_columns"]) == {"x_AmountInCents": "123.45"}


def test_openai_line_says_who_bills_what_and_when() -> None:
    (row,) = rows(openai_page(openai_cost(quantity=70, organization_id="org-9")))
    said = {name: row[name] for name in (
        "BillingAccountId", "BillingCurrency", "SubAccountId", "InvoiceIssuerName", "ServiceName",
        "SkuMeter", "ChargeCategory", "ConsumedQuantity", "ListCost",
    )}  # fmt: skip
    assert said == {
        "BillingAccountId": "org-1", "BillingCurrency": "USD", "SubAccountId": "proj_a",
        "InvoiceIssuerName": "OpenAI", "ServiceName": "OpenAI API", "SkuMeter": "gpt-5.5, input",
        "ChargeCategory": "Usage", "ConsumedQuantity": None, "ListCost": None,
    }  # fmt: skip
    assert row["ChargePeriodStart"] == datetime(2026, 10, 5, tzinfo=UTC)
    assert row["ChargePeriodEnd"] == datetime(2026, 10, 6, tzinfo=UTC)
    assert row["BillingPeriodStart"] == datetime(2026, 10, 1, tzinfo=UTC)
    assert row["BillingPeriodEnd"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert json.loads(row["x_columns"]) == {"x_organization_id": "org-9", "x_quantity": "70"}


def test_openai_usage_is_the_quantity_of_the_charge_that_costs_name() -> None:
    usage = {
        "object": "organization.usage.completions.result", "model": "gpt-5.5", "input_tokens": 1000,
        "input_cached_tokens": 400, "output_tokens": 50, "project_id": "proj_a", "batch": False,
    }  # fmt: skip
    found = rows(openai_page(json.dumps(usage)))
    assert [(row["SkuMeter"], row["ConsumedQuantity"], row["ConsumedUnit"]) for row in found] == [
        ("gpt-5.5, input", "600", "Tokens"),
        ("gpt-5.5, cached input", "400", "Tokens"),
        ("gpt-5.5, output", "50", "Tokens"),
    ]
    assert {row["BilledCost"] for row in found} == {Decimal(0)}
    (cost,) = rows(openai_page(openai_cost()))
    same = ("SkuId", "SkuPriceId", "ServiceName", "SubAccountId", "BillingCurrency", "ResourceId")
    assert [found[0][name] for name in same] == [cost[name] for name in same]


def test_anthropic_usage_is_the_quantity_of_the_charge_that_costs_name() -> None:
    usage = {
        "uncached_input_tokens": 1500, "cache_read_input_tokens": 200, "output_tokens": 500,
        "cache_creation": {"ephemeral_1h_input_tokens": 7, "ephemeral_5m_input_tokens": 0},
        "server_tool_use": {"web_search_requests": 2}, "model": "claude-x",
        "service_tier": "standard", "context_window": "0-200k", "workspace_id": None,
    }  # fmt: skip
    found = rows(anthropic_page(usage), "anthropic")
    assert [(row["SkuMeter"], row["ConsumedQuantity"], row["ConsumedUnit"]) for row in found] == [
        ("claude-x, uncached_input_tokens", "1500", "Tokens"),
        ("claude-x, cache_read_input_tokens", "200", "Tokens"),
        ("claude-x, cache_creation.ephemeral_1h_input_tokens", "7", "Tokens"),
        ("claude-x, output_tokens", "500", "Tokens"),
        ("web_search", "2", "Requests"),
    ]
    (cost,) = rows(anthropic_page(anthropic_cost()), "anthropic")
    assert (cost["SkuId"], cost["SkuPriceId"]) == (found[3]["SkuId"], found[3]["SkuPriceId"])


def test_charge_without_model_goes_by_its_description() -> None:
    (row,) = rows(
        anthropic_page(anthropic_cost(model=None, token_type=None, cost_type=None)), "anthropic"
    )
    assert row["SkuMeter"] == "Claude X Usage - Output Tokens"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (openai_cost('"abc"'), "unreadable_amount"),
        (openai_cost("null"), "unreadable_amount"),
        (openai_cost("true"), "unreadable_amount"),
        (openai_cost("1e999999"), "unreadable_amount"),
        (openai_cost("1" * 200), "unreadable_amount"),
        (openai_cost("0.06").replace('"usd"', '"dollars"'), "unreadable_billing_currency"),
        (openai_cost("0.06").replace('"usd"', "null"), "missing_billing_currency"),
        (openai_cost().replace('"amount"', '"amounts"'), "missing_billed_cost"),
        (openai_cost().replace('"gpt-5.5, input"', "[1]"), "unreadable_line_item"),
        ('{"object":"organization.usage.images.result","images":1}', "unknown_result"),
        ('{"object":"organization.usage.completions.result","input_tokens":-1}', "unreadable_input_tokens"),
        ('{"object":"organization.usage.completions.result","input_tokens":1,"input_cached_tokens":2}',
         "unreadable_input_tokens"),
        ("7", "unknown_result"),
    ],
)  # fmt: skip
def test_result_that_cannot_be_read_is_rejected_by_its_place_and_stops_no_other(
    result: str, reason: str
) -> None:
    found = batch(openai_page(openai_cost(), result, openai_cost()))
    assert [(one.position, one.reason) for one in found.rejected] == [(2, reason)]
    assert found.rows["position"].to_pylist() == [1, 3]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"[]", "not_a_page"),
        (b'{"object":"page"}', "not_a_page"),
        (b'{"data":[1]}', "not_a_bucket"),
        (b'{"data":[{"results":[]}]}', "not_a_bucket"),
        (openai_page(start=DAY, end=DAY + 3600), "bucket_not_a_utc_day"),
        (openai_page(start=DAY + 3600, end=DAY + 90_000), "bucket_not_a_utc_day"),
        (openai_page(start=10**18, end=10**18 + 86_400), "not_a_bucket"),
        (openai_page(start=-1, end=86_399), "not_a_bucket"),
        (openai_page(openai_cost("NaN")), "not_json"),
        (openai_page(openai_cost("Infinity")), "not_json"),
        (openai_page(openai_cost())[:-9], "not_json"),
        (b'{"data":[],"data":[]}', "not_json"),
        (b'{"data":' + b"[" * 200_000, "not_json"),
        (b'{"data":[],"a":' + b"1" * 5000 + b"}", "not_json"),
        (b"\xff\xfe", "not_utf8"),
    ],
)
def test_page_that_is_none_gives_nothing(page: bytes, reason: str) -> None:
    with pytest.raises(ObjectRefused) as no:
        batch(page)
    assert no.value.reason == reason


# -- deliveries ----------------------------------------------------------------------------------


def deliver(folder: Path, run: str, amount: str, *, receipt: bool = True) -> None:
    """One period's pages as a pull writes them."""
    target = folder / "2026-10" / run
    target.mkdir(parents=True)
    page = openai_page(openai_cost(amount))
    (target / "costs-0001.json").write_bytes(page)
    if receipt:
        digest = hashlib.sha256(page).hexdigest()
        named = {"answers": [{"name": "costs-0001.json", "bytes": len(page), "sha256": digest}]}
        (target / "pull.json").write_text(json.dumps(named))


def billed(folder: Path, lake: Path) -> tuple[list[Any], dict[str, int]]:
    source = Source("billing", "bill", folder, format="openai", delivery="replace", account="org-1")
    store = LandedStore(lake)
    report = land([source], store)
    columns = ["delivery_order", "BilledCost"]
    return standing(store, "billing", columns), dict(report.sources[0].awaiting)


def test_newer_delivery_of_a_period_sorts_after_the_older(tmp_path: Path) -> None:
    deliver(tmp_path / "in", "20261006T040000Z", "1.5")
    deliver(tmp_path / "in", "20261007T040000Z", "2.5")
    found, awaiting = billed(tmp_path / "in", tmp_path / "lake")
    assert [amount for _, amount in sorted(found)] == [Decimal("1.5"), Decimal("2.5")]
    assert awaiting == {}


def test_delivery_is_read_when_its_receipt_is_there_and_not_before(tmp_path: Path) -> None:
    deliver(tmp_path / "in", "20261006T040000Z", "1.5", receipt=False)
    assert billed(tmp_path / "in", tmp_path / "lake") == ([], {"awaiting_manifest": 1})


@pytest.mark.parametrize("fault", ["gone", "short", "more", "torn", "endless", "other", "unsaid"])
def test_delivery_that_is_not_what_its_receipt_says_is_held_back(
    tmp_path: Path, fault: str
) -> None:
    deliver(tmp_path / "in", "20261006T040000Z", "1.5")
    folder = tmp_path / "in" / "2026-10" / "20261006T040000Z"
    page, receipt = folder / "costs-0001.json", folder / "pull.json"
    match fault:
        case "gone":
            page.unlink()
        case "short":
            page.write_bytes(page.read_bytes()[:-5])
        case "more":
            (folder / "costs-0002.json").write_bytes(openai_page())
        case "torn":
            receipt.write_bytes(receipt.read_bytes()[:20])
        case "endless":  # found by fuzzing: JSON's 1e999 is infinity
            receipt.write_text('{"answers": [{"name": "costs-0001.json", "bytes": 1e999}]}')
        case "other":  # of the same length
            page.write_bytes(page.read_bytes().replace(b"1.5", b"9.5"))
        case "unsaid":
            said = json.loads(receipt.read_bytes())
            receipt.write_text(json.dumps({"answers": [{**said["answers"][0], "sha256": ""}]}))
    assert billed(tmp_path / "in", tmp_path / "lake") == ([], {"half_written": 1})


def test_pages_that_somebody_put_into_a_folder_are_one_delivery(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "october"
    folder.mkdir(parents=True)
    for number, amount in enumerate(("1.5", "2.5")):
        (folder / f"{number}.json").write_bytes(openai_page(openai_cost(amount)))
    (folder / "readme.txt").write_text("by hand")
    found, _ = billed(tmp_path / "in", tmp_path / "lake")
    assert sorted(found) == [("october", Decimal("1.5")), ("october", Decimal("2.5"))]


def _of_day(day: int, *, more: bool, usage: bool = False) -> bytes:
    said = '{"object":"organization.usage.completions.result","input_tokens":1}'
    start = DAY + day * 86_400
    page = openai_page(said if usage else openai_cost(), start=start, end=start + 86_400)
    return page.replace(b'"has_more":false', b'"has_more":true') if more else page


@pytest.mark.parametrize(
    ("pages", "whole"),
    [
        ([_of_day(0, more=True)], False),
        ([_of_day(0, more=True), _of_day(1, more=False)], True),
        ([_of_day(0, more=True), _of_day(2, more=False)], False),
        ([_of_day(0, more=True), _of_day(1, more=True)], False),
        ([_of_day(0, more=True), _of_day(1, more=False, usage=True)], False),
        ([_of_day(0, more=True), _of_day(0, more=False)], True),
        ([_of_day(0, more=True), _of_day(0, more=True)], False),
        ([_of_day(0, more=True), b'{"data":[],"has_more":false}'], True),
        ([_of_day(0, more=False), _of_day(3, more=False), _of_day(0, more=False, usage=True)], True),
        ([_of_day(0, more=True), b"no page"], False),
    ],
)  # fmt: skip
def test_pages_saved_by_hand_wait_until_the_last_of_each_report_is_there(
    tmp_path: Path, pages: list[bytes], whole: bool
) -> None:
    (tmp_path / "in").mkdir()
    for number, page in enumerate(pages):
        (tmp_path / "in" / f"{number}.json").write_bytes(page)
    found, awaiting = billed(tmp_path / "in", tmp_path / "lake")
    assert awaiting == ({} if whole else {"pages_missing": len(pages)})
    assert bool(found) is whole


def test_pages_that_are_landed_are_not_opened_again_to_list_them(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "costs.json").write_bytes(openai_page(openai_cost()))
    billed(tmp_path / "in", tmp_path / "lake")
    listing = list_objects("bill", tmp_path / "in").objects

    def opened(path: str) -> bytes:
        raise AssertionError(f"{path} is opened")

    assert len(discover(listing, opened, lambda _: True).objects) == 1
    with pytest.raises(AssertionError, match="is opened"):
        discover(listing, opened)


def test_a_console_csv_is_named_with_what_to_save_instead(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cost_2026-11.csv").write_text("date,amount\n")
    source = Source("billing", "bill", tmp_path / "in", format="openai", account="org-1")
    (waiting,) = land([source], LandedStore(tmp_path / "lake")).waiting
    assert waiting.is_overdue(datetime.now(UTC)), "nobody writes it into something else"
    assert "cost_2026-11.csv: not_billing_data, " in waiting.line()
    assert "a console CSV of this vendor is not read; save API pages" in waiting.line()
