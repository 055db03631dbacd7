"""What real exports do to FOCUS, and what becomes of it: one quirk a test (facts/focus.md, 5)."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from attribution_pipeline_tests.sources.focus_bills import (
    OBJECT_ID,
    ROW,
    csv_bytes,
    land,
    land_row,
    parquet_bytes,
    parquet_rows,
    row,
)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_plain_row_lands_with_its_origin_and_delivery() -> None:
    line = land(csv_bytes(row())).row
    assert (line["object_id"], line["position"]) == (OBJECT_ID, 1)
    assert (line["delivery"], line["delivery_order"]) == ("run-1", "00000000000000000001")
    assert (line["BilledCost"], line["EffectiveCost"]) == (Decimal("1.50"), Decimal("1.25"))
    assert line["ChargePeriodStart"] == at(2026, 10, 5)
    assert line["Tags"] is None
    assert line["x_columns"] is None


def test_positions_count_rows_from_one_and_rejected_rows_keep_theirs() -> None:
    landed = land(csv_bytes(row(), row(BilledCost="x"), row()))
    assert [r["position"] for r in landed.rows] == [1, 3]
    assert landed.reasons == [(2, "unreadable_billed_cost")]


def test_a_file_of_a_header_alone_lands_nothing_and_is_no_error() -> None:
    landed = land(csv_bytes(row()).splitlines(keepends=True)[0])
    assert landed.table.num_rows == 0
    assert not landed.rejected


def test_blank_lines_are_no_records() -> None:
    data = csv_bytes(row(), row()).replace(b"\r\n", b"\r\n\r\n")
    assert [r["position"] for r in land(data).rows] == [1, 2]


@pytest.mark.parametrize("null", ["", "NULL", "null", '""'])
def test_empty_text_and_the_word_null_are_null(null: str) -> None:
    data = csv_bytes(row(RegionId="@@")).replace(b"@@", null.encode())
    assert land(data).row["RegionId"] is None


def test_null_texts_in_parquet_are_null_too() -> None:
    data = parquet_rows(row(), row(), row(), RegionId=pa.array(["", "NULL", "eu"]))
    assert [r["RegionId"] for r in land(data).rows] == [None, None, "eu"]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert land(csv_bytes(row(), bom=True)).row["BilledCost"] == Decimal("1.50")


def test_gzip_is_tolerated_where_nobody_opened_it() -> None:
    assert land(gzip.compress(csv_bytes(row()))).row["BilledCost"] == Decimal("1.50")


def test_a_stream_that_cannot_seek_is_read_like_bytes() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

    assert land(Pipe(csv_bytes(row(), row()))).table.num_rows == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-05T22:00:00Z", at(2026, 10, 5, 22)),
        ("2026-10-05 22:00:00", at(2026, 10, 5, 22)),
        ("2026-10-05", at(2026, 10, 5)),
        ("2026-10-05T22:00Z", at(2026, 10, 5, 22)),
        ("2026-10-06T00:00:00+02:00", at(2026, 10, 5, 22)),
        ("2026-10-05T22:00:00.0000000Z", at(2026, 10, 5, 22)),
        ("2026-10-05 22:00:00 UTC", at(2026, 10, 5, 22)),
        ("2026-10-05 22:00:00.125 UTC", at(2026, 10, 5, 22, 0, 0, 125000)),
    ],
)
def test_instants_are_utc_however_they_are_written(text: str, instant: datetime) -> None:
    assert land_row(ChargePeriodStart=text)["ChargePeriodStart"] == instant


@pytest.mark.parametrize(
    "text", ["5/1/25", "01/05/2026", "2026-10-05T30:00:00Z", "2026-06-31", "1759622400", "20261005"]
)
def test_a_date_that_can_mean_two_days_or_none_is_rejected(text: str) -> None:
    landed = land(csv_bytes(row(ChargePeriodStart=text)))
    assert landed.reasons == [(1, "unreadable_charge_period_start")]
    assert repr(text) in landed.rejected[0].detail


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_parquet_timestamps_of_any_unit_and_zone_are_instants(unit: str, zone: str | None) -> None:
    kind = pa.timestamp(unit, tz=zone)
    start = pa.array([at(2026, 10, 5, 22) if zone else datetime(2026, 10, 5, 22)], kind)
    data = parquet_rows(row(), ChargePeriodStart=start)
    assert land(data).row["ChargePeriodStart"] == at(2026, 10, 5, 22)


def test_parquet_dates_are_midnights() -> None:
    data = parquet_rows(row(), ChargePeriodStart=pa.array([date(2026, 10, 4)]))
    assert land(data).row["ChargePeriodStart"] == at(2026, 10, 4)


def test_ids_keep_their_leading_zeros() -> None:
    line = land_row(BillingAccountId="000123456789", SubAccountId="0042")
    assert (line["BillingAccountId"], line["SubAccountId"]) == ("000123456789", "0042")


def test_ids_that_parquet_made_numbers_are_text_again() -> None:
    data = parquet_rows(
        row(),
        BillingAccountId=pa.array([111122223333]),
        SubAccountId=pa.array([111122223333.0]),
        SkuId=pa.array([123456789012345678], pa.uint64()),
    )
    line = land(data).row
    assert line["BillingAccountId"] == line["SubAccountId"] == "111122223333"
    assert line["SkuId"] == "123456789012345678"


@pytest.mark.parametrize("said", ["arn:aws:iam::1:role/app", ""])
def test_the_principal_of_a_bill_lands_in_its_own_column(said: str) -> None:
    """FOCUS 1.5, in work: null where the provider cannot tell."""
    assert land_row(PrincipalId=said)["PrincipalId"] == (said or None)


def test_quantities_keep_their_raw_precision() -> None:
    line = land_row(ConsumedQuantity="2.000000000000000", ListCost="0.00000000004")
    assert (line["ConsumedQuantity"], line["ListCost"]) == ("2.000000000000000", "0.00000000004")


def test_double_quantities_are_text_in_shortest_form_without_a_plus() -> None:
    data = parquet_rows(
        row(),
        row(),
        ConsumedQuantity=pa.array([1e16, 0.1]),
        PricingQuantity=pa.array([1e-7, float("nan")]),
    )
    rows = land(data).rows
    assert [r["ConsumedQuantity"] for r in rows] == ["10000000000000000", "0.1"]
    assert [r["PricingQuantity"] for r in rows] == ["1e-7", None]


def test_a_quantity_that_is_no_number_is_kept_aside_and_the_money_lands() -> None:
    line = land_row(PricingQuantity="1,000")
    assert line["PricingQuantity"] is None
    assert json.loads(line["x_columns"]) == {"x_PricingQuantityAsWritten": "1,000"}


def test_azure_zero_list_cost_stays_zero() -> None:
    assert land_row(ListCost="0", ContractedCost="0")["ListCost"] == "0"


def test_column_names_match_exactly_first_and_then_without_case() -> None:
    lowered = {name.lower(): value for name, value in row(SkuPriceid="sku-1").items()}
    assert land(csv_bytes(lowered)).row["SkuPriceId"] == "sku-1"


def test_an_exact_name_beats_one_in_other_casing_which_is_kept() -> None:
    line = land_row(billedcost="9.99")
    assert line["BilledCost"] == Decimal("1.50")
    assert json.loads(line["x_columns"]) == {"billedcost": "9.99"}


def test_unknown_and_misnamed_columns_are_kept_as_text_without_nulls() -> None:
    line = land_row(x_Operation='Run "it"\n\\', Id="11472", x_Empty="", x_Ünï="ß\x01")
    assert json.loads(line["x_columns"]) == {
        "Id": "11472",
        "x_Operation": 'Run "it"\n\\',
        "x_Ünï": "ß\x01",
    }


def test_rows_without_other_columns_stay_in_line_with_rows_that_have_them() -> None:
    rows = land(csv_bytes(row(x_A="1"), row(x_A=""), row(x_A="3"))).rows
    assert [r["x_columns"] for r in rows] == ['{"x_A":"1"}', None, '{"x_A":"3"}']


def test_a_repeated_unknown_column_is_kept_twice() -> None:
    lines = csv_bytes(row(x_A="1", x_B="2")).replace(b"x_B", b"x_A")
    assert json.loads(land(lines).row["x_columns"]) == {"x_A": "1", "x_A#2": "2"}


def test_nested_and_typed_parquet_columns_are_kept_as_json() -> None:
    data = parquet_rows(
        row(),
        x_Discounts=pa.array([[("edp", 0.25)]], pa.map_(pa.string(), pa.float64())),
        x_Credits=pa.array([[{"name": "free", "amount": Decimal("1.50")}]]),
        x_When=pa.array([date(2026, 10, 1)]),
        x_Eligible=pa.array([True]),
    )
    assert json.loads(land(data).row["x_columns"]) == {
        "x_Discounts": '{"edp":0.25}',
        "x_Credits": '[{"name":"free","amount":1.50}]',
        "x_When": "2026-10-01",
        "x_Eligible": "true",
    }


def test_sku_price_details_that_aws_writes_as_a_map_are_json() -> None:
    details = pa.array([[("InstanceType", "g5.xlarge")]], pa.map_(pa.string(), pa.string()))
    data = parquet_rows(row(), SkuPriceDetails=details)
    assert land(data).row["SkuPriceDetails"] == '{"InstanceType":"g5.xlarge"}'


def test_dictionary_and_large_text_columns_are_text() -> None:
    data = parquet_rows(
        row(),
        ServiceName=pa.array(["Amazon S3"]).dictionary_encode(),
        RegionId=pa.array(["eu-west-1"], pa.large_string()),
    )
    line = land(data).row
    assert (line["ServiceName"], line["RegionId"]) == ("Amazon S3", "eu-west-1")


def test_native_identity_of_a_line_is_found_and_stays_in_x_columns() -> None:
    line = land_row(oci_ReferenceNumber="ABC-1")
    assert line["native_id"] == "ABC-1"
    assert json.loads(line["x_columns"]) == {"oci_ReferenceNumber": "ABC-1"}


def test_a_row_without_an_issuer_takes_the_provider() -> None:
    line = land_row(InvoiceIssuerName="", ProviderName="AWS")
    assert (line["InvoiceIssuerName"], line["ServiceProviderName"]) == ("AWS", "AWS")


def test_a_1_4_row_without_an_issuer_takes_the_service_provider() -> None:
    line = land_row(InvoiceIssuerName="", ServiceProviderName="AWS")
    assert (line["InvoiceIssuerName"], line["ProviderName"]) == ("AWS", None)


def test_known_words_get_their_spelling_and_others_stay() -> None:
    line = land_row(
        ChargeFrequency="Usage-based",
        ChargeCategory="usage",
        ChargeClass="CORRECTION",
        PricingCategory="Spot",
    )
    assert line["ChargeFrequency"] == "Usage-Based"
    assert line["ChargeCategory"] == "Usage"
    assert line["ChargeClass"] == "Correction"
    assert line["PricingCategory"] == "Spot"


def test_a_currency_in_lower_case_is_the_same_currency() -> None:
    assert land_row(BillingCurrency="usd")["BillingCurrency"] == "USD"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"BilledCost": ""}, "missing_billed_cost"),
        ({"BilledCost": "$10,000.00 "}, "unreadable_billed_cost"),
        ({"EffectiveCost": "NULL"}, "missing_effective_cost"),
        ({"EffectiveCost": "n/a"}, "unreadable_effective_cost"),
        ({"BillingCurrency": ""}, "missing_billing_currency"),
        ({"BillingCurrency": "Dollars"}, "unreadable_billing_currency"),
        ({"BillingAccountId": ""}, "missing_billing_account_id"),
        ({"InvoiceIssuerName": ""}, "missing_invoice_issuer_name"),
        ({"ChargeCategory": ""}, "missing_charge_category"),
        ({"ChargeCategory": "Refund"}, "unreadable_charge_category"),
        ({"BillingPeriodStart": ""}, "missing_billing_period_start"),
        ({"BillingPeriodEnd": "soon"}, "unreadable_billing_period_end"),
        ({"ChargePeriodStart": ""}, "missing_charge_period_start"),
        ({"ChargePeriodEnd": ""}, "missing_charge_period_end"),
        ({"ChargePeriodEnd": "2026-10-05T00:00:00Z"}, "charge_period_not_positive"),
        ({"ChargePeriodEnd": "2026-10-04T00:00:00Z"}, "charge_period_not_positive"),
        ({"BillingPeriodEnd": "2026-10-01T00:00:00Z"}, "billing_period_not_positive"),
    ],
)
def test_an_unusable_row_is_rejected_with_its_reason_and_the_rest_lands(
    changes: dict[str, str], reason: str
) -> None:
    landed = land(csv_bytes(row(), row(**changes), row()))
    assert landed.reasons == [(2, reason)]
    assert [r["position"] for r in landed.rows] == [1, 3]


def test_a_row_with_two_faults_is_rejected_once() -> None:
    landed = land(csv_bytes(row(BilledCost="", ChargeCategory="Refund")))
    assert landed.reasons == [(1, "missing_billed_cost")]


def test_nan_in_parquet_is_a_missing_cost_and_infinity_an_unreadable_one() -> None:
    data = parquet_rows(row(), row(), BilledCost=pa.array([float("nan"), float("inf")]))
    assert land(data).reasons == [(1, "missing_billed_cost"), (2, "unreadable_billed_cost")]


def test_credits_and_negative_amounts_land() -> None:
    line = land_row(ChargeCategory="Credit", BilledCost="-2.6137", EffectiveCost="-3.0")
    assert (line["BilledCost"], line["EffectiveCost"]) == (Decimal("-2.6137"), Decimal("-3.0"))


def test_one_file_may_mix_billing_periods() -> None:
    older = row(BillingPeriodStart="2026-09-01", BillingPeriodEnd="2026-10-01")
    assert len({r["BillingPeriodStart"] for r in land(csv_bytes(row(), older)).rows}) == 2


def test_quoted_line_breaks_are_part_of_the_value() -> None:
    line = land_row(ChargeDescription='first\r\nsecond, "third"')
    assert line["ChargeDescription"] == 'first\r\nsecond, "third"'


def test_a_stray_quote_in_an_unquoted_value_breaks_nothing() -> None:
    data = csv_bytes(row(ChargeDescription="@@")).replace(b"@@", b'5" disk')
    assert land(data).row["ChargeDescription"] == '5" disk'


def test_csv_and_parquet_of_the_same_rows_land_the_same_lines() -> None:
    rows = [
        row(Tags='{"a": "b"}', x_A="1", SubAccountId="007"),
        row(Tags="", x_A="", SubAccountId=""),
    ]
    from_csv = land(csv_bytes(*rows)).table
    from_parquet = land(parquet_rows(*rows)).table
    assert from_csv.equals(from_parquet)


def test_many_rows_land_in_order_across_blocks_and_row_groups() -> None:
    count = 150_000
    columns = {name: pa.array([value] * count) for name, value in ROW.items()}
    columns["BilledCost"] = pa.array([float(n) for n in range(count)])
    landed = land(parquet_bytes(columns, row_group_size=40_000))
    assert landed.table["position"].to_pylist() == list(range(1, count + 1))
    assert sum(landed.table["BilledCost"].to_pylist()) == count * (count - 1) // 2
