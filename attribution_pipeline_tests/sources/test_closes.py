"""Close records: three formats, two spellings, one row; what cannot be read is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.evidence import CLOSES
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.closes import read_closes, record_text
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.sources.landings import standing

HEADER = "issuer,account,period,closed_at,status"
FOCUS = (
    "BillingPeriodCreated,BillingPeriodStart,BillingPeriodEnd,BillingPeriodLastUpdated,"
    "BillingPeriodStatus,InvoiceIssuerName"
)
AT = datetime(2026, 11, 7, 9, tzinfo=UTC)


def landed(file: Path) -> tuple[list[dict[str, Any]], list[Rejected]]:
    (obj,) = list_objects("closes", file).objects
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    with open_object(obj) as opened:
        for batch in read_closes(opened.data, obj, opened.object_id):
            assert batch.rows.schema.equals(CLOSES)
            rows += batch.rows.to_pylist()
            rejected += batch.rejected
    return rows, rejected


def written(folder: Path, text: str) -> Path:
    file = folder / "records"
    file.write_text(text, encoding="utf-8")
    return file


def said(row: dict[str, Any]) -> dict[str, Any]:
    """A row without where it came from."""
    return {key: value for key, value in row.items() if key not in ("object_id", "position")}


def test_csv_json_lines_and_parquet_land_the_same_record(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text(
        f"{HEADER},closed_by,note,ticket\r\n"
        "Vendor,0042,2026-10,2026-11-07T09:00:00Z,Closed,finops,month end,F-1\r\n"
    )
    lines = tmp_path / "b.jsonl"
    lines.write_text(
        '{"issuer":"Vendor","account":"0042","period":"2026-10-01","status":"closed",'
        '"closed_at":"2026-11-07 10:00:00+01:00","closed_by":"finops","note":"month end",'
        '"ticket":"F-1"}\n'
    )
    parquet = tmp_path / "c.parquet"
    record = {
        "issuer": "Vendor", "account": "0042", "period": date(2026, 10, 1), "closed_at": AT,
        "status": "closed", "closed_by": "finops", "note": "month end", "ticket": "F-1",
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist([record]), parquet)
    found = [landed(file) for file in (csv, lines, parquet)]
    assert [rejected for _, rejected in found] == [[], [], []]
    assert [said(row) for (row,), _ in found] == [
        {
            "evidence": "close_record", "issuer": "Vendor", "account": "0042",
            "billing_period": date(2026, 10, 1), "status": "closed", "closed_at": AT,
            "closed_by": "finops", "note": "month end", "x_columns": '{"ticket":"F-1"}',
        }
    ] * 3  # fmt: skip


def test_empty_account_is_every_account_of_the_issuer_and_blanks_are_nobody_s(
    tmp_path: Path,
) -> None:
    file = written(
        tmp_path, f"{HEADER}\nVendor,,2026-10,2026-11-07,closed\n Vendor , 7 ,2026-10,2026-11-07,open\n"
    )  # fmt: skip
    rows, rejected = landed(file)
    assert rejected == []
    assert [(row["issuer"], row["account"], row["status"]) for row in rows] == [
        ("Vendor", None, "closed"),
        ("Vendor", "7", "open"),
    ]


def test_focus_billing_period_dataset_is_read_as_records_of_the_whole_issuer(
    tmp_path: Path,
) -> None:
    file = written(
        tmp_path,
        f"{FOCUS}\n"
        "2026-10-01T00:00:00Z,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-11-07T09:00:00Z,"
        "Closed,Vendor\n"
        "2026-11-01T00:00:00Z,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,2026-11-07T09:00:00Z,"
        "Open,Vendor\n",
    )
    rows, rejected = landed(file)
    assert rejected == []
    assert said(rows[0]) == {
        "evidence": "billing_period", "issuer": "Vendor", "account": None,
        "billing_period": date(2026, 10, 1), "status": "closed", "closed_at": AT,
        "closed_by": None, "note": None,
        "x_columns": '{"BillingPeriodCreated":"2026-10-01T00:00:00Z",'
        '"BillingPeriodEnd":"2026-11-01T00:00:00Z"}',
    }  # fmt: skip
    assert (rows[1]["billing_period"], rows[1]["status"]) == (date(2026, 11, 1), "open")


def test_focus_dataset_of_parquet_with_lower_case_names_and_nanoseconds_is_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "periods.parquet"
    nanoseconds = pa.timestamp("ns", "UTC")
    start, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    pq.write_table(
        pa.table(
            {
                "billingperiodstart": pa.array([start], nanoseconds),
                "billingperiodend": pa.array([end], nanoseconds),
                "billingperiodlastupdated": pa.array([AT], nanoseconds),
                "billingperiodstatus": ["Closed"],
                "invoiceissuername": ["Vendor"],
            }
        ),
        file,
    )
    ((row,), rejected) = landed(file)
    assert rejected == []
    assert (row["issuer"], row["billing_period"], row["closed_at"], row["evidence"]) == (
        "Vendor", date(2026, 10, 1), AT, "billing_period",
    )  # fmt: skip


BROKEN = {
    ",a,2026-10,2026-11-07,closed": "missing_value",
    "   ,a,2026-10,2026-11-07,closed": "missing_value",
    "V,a,2026-13,2026-11-07,closed": "unreadable_period",
    "V,a,10/2026,2026-11-07,closed": "unreadable_period",
    "V,a,,2026-11-07,closed": "unreadable_period",
    "V,a,2026-10,,closed": "missing_value",
    "V,a,2026-10,yesterday,closed": "unreadable_instant",
    "V,a,2026-10,07.11.2026,closed": "unreadable_instant",
    "V,a,2026-10,2026-11-07,": "missing_value",
    "V,a,2026-10,2026-11-07,done": "unknown_status",
    "V,a,2026-10,2026-11-07": "wrong_cell_count",
}


@pytest.mark.parametrize(("record", "reason"), BROKEN.items())
def test_broken_record_is_rejected_with_its_reason_and_stops_no_other(
    tmp_path: Path, record: str, reason: str
) -> None:
    rows, rejected = landed(
        written(tmp_path, f"{HEADER}\n{record}\nV,a,2026-09,2026-10-07,closed\n")
    )
    assert [one.reason for one in rejected] == [reason]
    assert rejected[0].position == 1
    assert [row["billing_period"] for row in rows] == [date(2026, 9, 1)]


BROKEN_FOCUS = {
    "x,2026-10-01,2026-11-01,2026-11-07,Closed,": "missing_value",
    "x,2026-10-01,2026-11-01,2026-11-07,Closed,NULL": "missing_value",
    "x,NULL,2026-11-01,2026-11-07,Closed,V": "missing_value",
    "x,october,2026-11-01,2026-11-07,Closed,V": "unreadable_instant",
    "x,2026-10-01,2026-11-01,NULL,Closed,V": "missing_value",
    "x,2026-10-01,2026-10-01,2026-11-07,Closed,V": "billing_period_not_positive",
    "x,2026-10-01,2026-11-01,2026-11-07,Final,V": "unknown_status",
}


@pytest.mark.parametrize(("record", "reason"), BROKEN_FOCUS.items())
def test_broken_row_of_the_focus_dataset_is_rejected_with_its_reason(
    tmp_path: Path, record: str, reason: str
) -> None:
    rows, rejected = landed(
        written(tmp_path, f"{FOCUS}\n{record}\nx,2026-09-01,2026-10-01,2026-10-07,Closed,V\n")
    )
    assert [one.reason for one in rejected] == [reason]
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("issuer,account,period,status\nV,a,2026-10,closed\n", "closed_at"),
        ("InvoiceIssuerName,BillingPeriodStart,BillingPeriodEnd,BilledCost\nV,x,y,1\n",
         "BillingPeriodLastUpdated, BillingPeriodStatus"),
        ('{"issuer":"V","period":"2026-10"}\n', "account, closed_at, status"),
    ],
)  # fmt: skip
def test_table_without_its_columns_is_refused_by_their_names(
    tmp_path: Path, text: str, lacking: str
) -> None:
    with pytest.raises(ObjectRefused, match=lacking) as refused:
        landed(written(tmp_path, text))
    assert refused.value.reason == "missing_columns"


def test_written_record_reads_back_as_it_was_said(tmp_path: Path) -> None:
    at = datetime(2026, 11, 7, 9, 0, 0, 123, tzinfo=UTC)
    text = record_text(
        issuer='Vendor, "Inc."', account=None, period=date(2026, 10, 1), status="open",
        closed_at=at, closed_by="fin\u00f6ps", note="line\nbreak",
    )  # fmt: skip
    ((row,), rejected) = landed(written(tmp_path, text))
    assert rejected == []
    assert said(row) == {
        "evidence": "close_record", "issuer": 'Vendor, "Inc."', "account": None,
        "billing_period": date(2026, 10, 1), "status": "open", "closed_at": at,
        "closed_by": "fin\u00f6ps", "note": "line\nbreak", "x_columns": None,
    }  # fmt: skip


# -- landing -------------------------------------------------------------------------------------


def test_a_source_without_a_folder_lands_nothing_and_is_counted(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    report = land([Source("closes", "closes", tmp_path / "closes")], store)
    assert report.lines() == [
        "closes closes: objects 0 new, 0 known",
        "  passed over: folder_not_there_yet 1",
    ]
    with pytest.raises(Refusal, match="there is no such folder"):
        land([Source("usage", "usage", tmp_path / "usage")], store)


def test_record_that_was_landed_stands_when_its_file_is_written_anew(tmp_path: Path) -> None:
    store = LandedStore(tmp_path / "lake")
    source = Source("closes", "closes", tmp_path / "closes")
    file = tmp_path / "closes" / "periods.csv"
    file.parent.mkdir()
    for period in ("2026-09", "2026-10"):
        file.write_text(f"{HEADER}\nVendor,,{period},2026-11-07,closed\n")
        assert land([source], store).new == 1
    assert {str(period) for (period,) in standing(store, "closes", ["billing_period"])} == {
        "2026-09-01",
        "2026-10-01",
    }
    assert len(store.files("closes", None, None)) == 2
