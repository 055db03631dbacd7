"""Usage reports and Kubernetes snapshots: any of three formats, the same rows."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.model.evidence import KUBERNETES, USAGE
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline.sources.tables import read_kubernetes, read_usage
from attribution_pipeline_tests.cases import WORKED_DAY

HEADER = "date,service,resource_id,metric,quantity"


def landed(file: Path, reader: Any = read_usage) -> tuple[list[dict[str, Any]], list[Rejected]]:
    (obj,) = list_objects("usage", file).objects
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    with open_object(obj) as opened:
        for batch in reader(opened.data, obj, opened.object_id):
            assert batch.rows.schema.equals(USAGE if reader is read_usage else KUBERNETES)
            rows += batch.rows.to_pylist()
            rejected += batch.rejected
    return rows, rejected


def written(folder: Path, text: str) -> Path:
    file = folder / "report"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path, reader: Any = read_usage) -> ObjectRefused:
    with pytest.raises(ObjectRefused) as refused:
        landed(file, reader)
    assert str(file) in refused.value.line()
    return refused.value


def test_worked_day_usage_lands() -> None:
    rows, rejected = landed(WORKED_DAY / "usage" / "usage.csv")
    assert rejected == []
    found = [(r["tenant_id"], r["workflow_id"], r["metric"], r["quantity"]) for r in rows]
    assert found == [
        ("tenant-a", "search", "query_units", "30"),
        ("tenant-b", "agent", "query_units", "10"),
        ("tenant-c", "import", "query_units", "8"),
    ]
    assert rows[0]["date"] == date(2026, 10, 5)
    assert rows[0]["consumer_id"] is None


def test_csv_json_lines_and_parquet_land_the_same_rows(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text(
        "\ufeff" + HEADER + ",tenant_id,zone\r\n2026-10-05,Pinecone,,query_units,0.5,t-1,eu\r\n"
    )
    lines = tmp_path / "b.jsonl"
    lines.write_text(
        '{"date":"2026-10-05","service":"Pinecone","resource_id":null,"metric":"query_units",'
        '"quantity":0.5,"tenant_id":"t-1","zone":"eu"}\n\n'
    )
    parquet = tmp_path / "c.parquet"
    pq.write_table(
        pa.table(
            {
                "date": pa.array([date(2026, 10, 5)]),
                "service": ["Pinecone"],
                "resource_id": pa.array([None], pa.string()),
                "metric": ["query_units"],
                "quantity": pa.array([Decimal("0.5")], pa.decimal128(10, 1)),
                "tenant_id": ["t-1"],
                "zone": ["eu"],
            }
        ),
        parquet,
    )
    found = []
    for file in (csv, lines, parquet):
        ((row,), rejected) = landed(file)
        assert rejected == []
        found.append({k: v for k, v in row.items() if k != "object_id"})
    assert found[0] == found[1] == found[2]
    assert found[0]["resource_id"] is None
    assert found[0]["x_columns"] == '{"zone":"eu"}'


@pytest.mark.parametrize(
    ("quantity", "kept"),
    [
        ("30", "30"),
        ("0", "0"),
        ("-0", "0"),
        ("0.10", "0.10"),
        ("1E+3", "1000"),
        ("2.5e-3", "0.0025"),
    ],
)
def test_quantity_is_kept_as_written(tmp_path: Path, quantity: str, kept: str) -> None:
    file = written(tmp_path, f"{HEADER}\n2026-10-05,S,r,m,{quantity}\n")
    assert landed(file)[0][0]["quantity"] == kept


BROKEN_RECORDS = {
    "2026-10-05,S,r,m,-1": "negative_quantity",
    "2026-10-05,S,r,m,": "unreadable_quantity",
    '2026-10-05,S,r,m,"1,000"': "unreadable_quantity",
    "2026-10-05,S,r,m,1_000": "unreadable_quantity",
    "2026-10-05,S,r,m,+1": "unreadable_quantity",
    "2026-10-05,S,r,m,NaN": "unreadable_quantity",
    "2026-10-05,S,r,m,\u0661": "unreadable_quantity",
    "2026-10-05,S,r,m,1E+999": "quantity_out_of_range",
    "2026-10-05T00:00:00Z,S,r,m,1": "unreadable_date",
    "20261005,S,r,m,1": "unreadable_date",
    "2026-02-30,S,r,m,1": "unreadable_date",
    "05.10.2026,S,r,m,1": "unreadable_date",
    "2026-10-05,,r,m,1": "missing_value",
    "2026-10-05,S,r,,1": "missing_value",
    "2026-10-05,S,r,m": "wrong_cell_count",
    "2026-10-05,S,r,m,1,extra": "wrong_cell_count",
}


@pytest.mark.parametrize(("record", "reason"), sorted(BROKEN_RECORDS.items()))
def test_broken_record_is_rejected_with_its_position(
    tmp_path: Path, record: str, reason: str
) -> None:
    good = "2026-10-05,S,r,m,7"
    rows, rejected = landed(written(tmp_path, f"{HEADER}\n{good}\n\n{record}\n{good}\n"))
    assert [(row["position"], row["quantity"]) for row in rows] == [(1, "7"), (3, "7")]
    assert [(one.position, one.reason) for one in rejected] == [(2, reason)]


def test_missing_columns_are_refused_by_name(tmp_path: Path) -> None:
    refused = refusal(written(tmp_path, "date,service,metric\n2026-10-05,S,m\n"))
    assert refused.reason == "missing_columns"
    assert "resource_id, quantity" in refused.line()


def test_missing_columns_of_json_lines_are_refused_by_name(tmp_path: Path) -> None:
    refused = refusal(written(tmp_path, '{"date":"2026-10-05"}\n{"date":"2026-10-05"}\n'))
    assert refused.reason == "missing_columns"
    assert "service, resource_id, metric, quantity" in refused.line()


def test_one_json_line_without_its_columns_stops_no_other(tmp_path: Path) -> None:
    good = '{"date":"2026-10-05","service":"S","resource_id":"r","metric":"m","quantity":"1"}'
    text = f'{good}\n{{"date":"2026-10-05"}}\n{{"broken\n["list"]\n{{"a":1,"a":2}}\n{good}\n'
    rows, rejected = landed(written(tmp_path, text))
    assert [row["position"] for row in rows] == [1, 6]
    assert [(one.position, one.reason) for one in rejected] == [
        (2, "missing_columns"),
        (3, "broken_json"),
        (4, "broken_json"),
        (5, "broken_json"),
    ]


BROKEN_FILES = {
    "repeated_column": (HEADER + ",date\n").encode(),
    "broken_csv": (HEADER + '\n2026-10-05,S,"r"x,m,1\n').encode(),
    "not_utf8": (HEADER + "\n2026-10-05,S,r,m,1\n2026-10-05,\xe9,r,m,1\n").encode("latin-1"),
    "json_array": b'[{"date": "2026-10-05"}]',
    "broken_parquet": b"PAR1" + b"\0" * 100 + b"PAR1",
    "empty_object": b" \n",
}


@pytest.mark.parametrize(("reason", "content"), sorted(BROKEN_FILES.items()))
def test_broken_file_is_refused_as_a_whole(tmp_path: Path, reason: str, content: bytes) -> None:
    file = tmp_path / "broken"
    file.write_bytes(content)
    assert refusal(file).reason == reason


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "report"
    columns = {name: ["2026-10-05"] * 5000 for name in HEADER.split(",")}
    pq.write_table(pa.table(columns), file, write_page_checksum=True)
    whole = bytearray(file.read_bytes())
    file.write_bytes(whole[: len(whole) // 2])
    assert refusal(file).reason == "broken_parquet"
    whole[len(whole) // 8] ^= 0x55
    file.write_bytes(whole)
    assert refusal(file).reason == "broken_parquet"


def test_numbers_among_other_columns_lose_no_digit(tmp_path: Path) -> None:
    record = {
        "date": "2026-10-05", "service": "S", "resource_id": "r", "metric": "m", "quantity": "1",
    }  # fmt: skip
    text = json.dumps(record)[:-1] + ', "price": 0.1000000000000000055511151231257827, "n": [1]}\n'
    rows, rejected = landed(written(tmp_path, text))
    assert rejected == []
    assert json.loads(rows[0]["x_columns"]) == {
        "n": ["1"],
        "price": "0.1000000000000000055511151231257827",
    }


# -- kubernetes --------------------------------------------------------------------------------------

KUBERNETES_HEADER = "date,cluster,namespace,kind,name,labels,annotations"


def test_kubernetes_snapshot_lands_with_canonical_labels(tmp_path: Path) -> None:
    text = (
        f"{KUBERNETES_HEADER},uid\n"
        '2026-10-05,prod,web,Deployment,api,"{""tenant"": ""a"", ""app"": ""x""}",,u-1\n'
        "2026-10-05,prod,,Namespace,web,{},{},u-2\n"
    )
    rows, rejected = landed(written(tmp_path, text), read_kubernetes)
    assert rejected == []
    assert rows[0]["labels"] == '{"app":"x","tenant":"a"}'
    assert (rows[0]["annotations"], rows[0]["x_columns"]) == (None, '{"uid":"u-1"}')
    assert (rows[1]["namespace"], rows[1]["labels"]) == (None, "{}")


def test_kubernetes_labels_may_be_maps_and_objects(tmp_path: Path) -> None:
    record = {
        "date": "2026-10-05", "cluster": "prod", "namespace": "web", "kind": "Pod", "name": "api-1",
        "labels": {"b": "2", "a": "1"}, "annotations": None,
    }  # fmt: skip
    rows, _ = landed(written(tmp_path, json.dumps(record)), read_kubernetes)
    assert rows[0]["labels"] == '{"a":"1","b":"2"}'
    file = tmp_path / "k.parquet"
    columns = {
        name: pa.array([record[name]], pa.string()) for name in KUBERNETES_HEADER.split(",")[:5]
    }
    labels = pa.array([[("b", "2"), ("a", "1")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({**columns, "labels": labels, "annotations": labels}), file)
    rows, rejected = landed(file, read_kubernetes)
    assert rejected == []
    assert rows[0]["annotations"] == '{"a":"1","b":"2"}'


@pytest.mark.parametrize("labels", ["tenant=a", "[1]", '"{""a"": 1}"'])
def test_labels_that_are_no_object_of_texts_are_rejected(tmp_path: Path, labels: str) -> None:
    text = f"{KUBERNETES_HEADER}\n2026-10-05,prod,web,Pod,p,{labels},\n"
    rows, rejected = landed(written(tmp_path, text), read_kubernetes)
    assert (rows, [one.reason for one in rejected]) == ([], ["unreadable_labels"])


def test_kubernetes_columns_are_refused_by_name(tmp_path: Path) -> None:
    refused = refusal(written(tmp_path, HEADER + "\n"), read_kubernetes)
    assert "cluster, namespace, kind, name, labels, annotations" in refused.line()
