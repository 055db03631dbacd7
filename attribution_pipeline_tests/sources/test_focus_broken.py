"""A broken or half-written file gives its one clear line, and nothing of it lands."""

from __future__ import annotations

import gzip
import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.sources.focus import read
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.sources.focus_bills import (
    BILL,
    OBJECT_ID,
    ROW,
    csv_bytes,
    parquet_bytes,
    parquet_rows,
    row,
)

MANY = [row(Tags='{"team": "a"}', ChargeDescription="hours") for _ in range(40)]


def refusal(data: bytes) -> ObjectRefused:
    """The refusal, which must come before the first batch."""
    batches = read(data, BILL, OBJECT_ID)
    with pytest.raises(ObjectRefused) as caught:
        next(batches)
    line = caught.value.line()
    assert "\n" not in line
    assert line.startswith("/bills/focus.csv")
    return caught.value


def test_missing_columns_are_named_with_the_remedy() -> None:
    rows = {k: v for k, v in ROW.items() if k not in ("BillingCurrency", "InvoiceIssuerName")}
    error = refusal(csv_bytes(rows))
    assert error.reason == "missing_columns"
    assert error.line() == (
        "/bills/focus.csv: is no FOCUS bill: 9 columns, but none named BillingCurrency, "
        "InvoiceIssuerName or ProviderName or ServiceProviderName; deliver a FOCUS 1.0 to 1.4 cost "
        "and usage dataset with these columns, or move this file out of the source"
    )


def test_missing_columns_of_parquet_are_named_too() -> None:
    assert refusal(parquet_bytes({"a": pa.array([1])})).reason == "missing_columns"


def test_something_that_is_no_table_is_no_bill() -> None:
    assert refusal(b'{"not": "a bill"}\n').reason == "missing_columns"


def test_an_empty_file_is_refused() -> None:
    error = refusal(b"")
    assert (error.reason, error.what) == ("empty_object", "is empty")


def test_a_mandatory_column_that_stands_twice_is_refused() -> None:
    data = csv_bytes(row(x_A="9")).replace(b"x_A", b"BilledCost")
    assert refusal(data).reason == "repeated_column"


def test_a_csv_that_ends_inside_its_last_row_is_refused_at_that_row() -> None:
    whole = csv_bytes(*MANY)
    error = refusal(whole[: whole.rindex(b"Amazon Web Services") + 6])
    assert error.reason == "broken_csv"
    assert error.line() == (
        "/bills/focus.csv:41: is broken CSV: 10 columns where the header has 13; "
        "deliver the file again, whole"
    )


def test_a_csv_that_ends_inside_a_quoted_value_is_refused() -> None:
    whole = csv_bytes(*[row(Tags='{"team": "a"}')] * 3)
    cut = whole[: whole.rindex(b"team") + 6]
    error = refusal(cut)
    assert error.reason == "broken_csv"
    assert "unexpected end of data" in error.what


def test_every_cut_of_a_csv_is_refused_or_gives_whole_rows_only() -> None:
    """Cut at each byte of the last rows: what can be noticed is; nothing half-read lands."""
    whole = csv_bytes(*[row(Tags='{"team": "a"}', SkuId="0123")] * 3)
    third = whole.rstrip().rindex(b"\r\n") + 2
    unnoticed = []
    for end in range(third + 1, len(whole) - 2):
        try:
            landed = list(read(whole[:end], BILL, OBJECT_ID))
        except ObjectRefused:
            continue
        unnoticed.append(whole[third:end])
        assert sum(batch.rows.num_rows for batch in landed) == 3
    # cut inside the last, unquoted value: only a manifest's size can tell
    assert {value.rsplit(b",", 1)[1] for value in unnoticed} <= {b"", b"0", b"01", b"012"}


def test_a_row_of_another_width_in_the_middle_is_refused() -> None:
    lines = csv_bytes(*MANY).splitlines(keepends=True)
    lines[20] = b"1,2,3\r\n"
    error = refusal(b"".join(lines))
    assert error.where == "/bills/focus.csv:21"
    assert "1,2,3" not in error.line()


def test_a_csv_in_another_encoding_is_refused() -> None:
    data = csv_bytes(row(ServiceName="Dépôt")).decode().encode("latin-1")
    assert refusal(data).reason == "not_utf8"


def test_a_csv_that_ends_inside_a_character_is_refused() -> None:
    data = csv_bytes(row(x_Z="ü")).rstrip()
    assert refusal(data[:-1]).reason == "not_utf8"


def test_a_character_across_a_block_boundary_is_no_error() -> None:
    padding = 8 * 1024 * 1024 - len(csv_bytes(row())) - 100
    rows = [row(x_Pad="p" * (padding // 4)) for _ in range(4)] + [row(x_Pad="ü" * 200)]
    landed = list(read(csv_bytes(*rows), BILL, OBJECT_ID))
    assert sum(batch.rows.num_rows for batch in landed) == 5


def test_an_open_quote_that_swallows_the_file_is_refused() -> None:
    lines = csv_bytes(*[row(x_A="1")] * 1000).splitlines(keepends=True)
    lines[3] = lines[3].replace(b",1\r\n", b',"1\r\n')
    assert refusal(b"".join(lines)).reason == "broken_csv"


def test_gzip_that_ends_early_is_refused() -> None:
    data = gzip.compress(csv_bytes(*MANY))
    error = refusal(data[:-9])
    assert error.reason == "damaged_compression"
    assert isinstance(error, Refusal)


@pytest.mark.parametrize("keep", [5, 100, -1, -200])
def test_parquet_that_was_not_written_to_its_end_is_refused(keep: int) -> None:
    error = refusal(parquet_rows(*MANY)[:keep])
    assert error.line() == (
        "/bills/focus.csv: is no whole Parquet file: its footer is missing or damaged; "
        "deliver the file again, whole"
    )


def test_a_damaged_page_is_noticed_before_the_first_row_lands() -> None:
    columns = {name: pa.array([value] * 100) for name, value in ROW.items()}
    columns["SkuId"] = pa.array([f"sku-{n:05d}" for n in range(100)])
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    data = bytearray(parquet_bytes(columns, row_group_size=50, write_page_checksum=True, **plain))
    data[data.index(b"sku-00099") + 5] ^= 0xFF
    assert refusal(bytes(data)).reason == "broken_parquet"


def test_parquet_that_claims_absurdly_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from attribution_pipeline.sources import parquet_guard

    few = parquet_guard.ParquetLimits(rows=39)
    monkeypatch.setattr(parquet_guard.open_bounded, "__defaults__", (few,))
    assert refusal(parquet_rows(*MANY)).reason == "object_too_large"


def test_parquet_text_that_is_not_utf8_is_refused() -> None:
    binary = pa.array([b"\xff\xfe"] * len(MANY)).view(pa.string())
    assert refusal(parquet_rows(*MANY, SkuId=binary)).reason == "broken_parquet"


def test_a_csv_header_that_is_not_utf8_is_refused() -> None:
    assert refusal(csv_bytes(row(x_Z="1")).replace(b"x_Z", b"\xff_Z")).reason == "not_utf8"


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_random_damage_is_refused_or_read_but_never_anything_else(kind: str) -> None:
    whole = parquet_rows(*MANY) if kind == "parquet" else csv_bytes(*MANY)
    whole = gzip.compress(whole, mtime=0) if kind == "csv.gz" else whole
    dice = random.Random(1202)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        at = dice.randrange(len(damaged))
        if dice.random() < 0.6:
            damaged[at] ^= dice.randrange(1, 256)
        else:
            del damaged[at : at + dice.randrange(1, 40)]
        try:
            list(read(bytes(damaged), BILL, OBJECT_ID))
        except ObjectRefused:
            refused += 1
    assert refused > 50


def test_the_reader_leaves_its_callers_stream_open() -> None:
    stream = io.BytesIO(csv_bytes(row()))
    list(read(stream, BILL, OBJECT_ID))
    assert not stream.closed


def test_a_whole_parquet_file_of_no_rows_is_no_error() -> None:
    empty = pq.read_table(io.BytesIO(parquet_rows(row()))).slice(0, 0)
    batches = list(read(parquet_bytes(empty), BILL, OBJECT_ID))
    assert [batch.rows.num_rows for batch in batches] == [0]
