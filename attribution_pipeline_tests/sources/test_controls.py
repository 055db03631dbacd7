"""Control-plane records: four kinds, three formats; what cannot be read is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.model.evidence import CONTROLS
from attribution_pipeline.sources.batch import Rejected
from attribution_pipeline.sources.controls import read_controls
from attribution_pipeline.sources.landing import Source, land
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.rejection import ObjectRefused

AT = datetime(2026, 10, 5, 9, tzinfo=UTC)


def landed(file: Path) -> tuple[list[dict[str, Any]], list[Rejected]]:
    (obj,) = list_objects("controls", file).objects
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    with open_object(obj) as opened:
        for batch in read_controls(opened.data, obj, opened.object_id):
            assert batch.rows.schema.equals(CONTROLS)
            rows += batch.rows.to_pylist()
            rejected += batch.rejected
    return rows, rejected


def said(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says, without nulls and without where it came from."""
    return {
        key: value
        for key, value in row.items()
        if value is not None and key not in ("object_id", "position")
    }


def test_one_table_may_hold_every_kind_and_each_keeps_its_own_columns(tmp_path: Path) -> None:
    file = tmp_path / "controls.jsonl"
    file.write_text(
        '{"kind":"hard_block","rule":"r-1","operation":"drop_table","reversible":false,'
        '"mode":"enforce","owner":"sre"}\n'
        '{"kind":"shadow_hit","time":"2026-10-05T09:00:00Z","rule":"r-2","would_block":true}\n'
        '{"kind":"override","requested_at":"2026-10-05T09:00:00Z",'
        '"granted_at":"2026-10-05T11:04:00+02:00","rule":"r-1","by":"lee"}\n'
        '{"kind":"policy_snapshot","time":"2026-10-05T09:00:00Z","digest":"abc"}\n'
    )
    rows, rejected = landed(file)
    assert rejected == []
    day = {"date": date(2026, 10, 5)}
    assert [said(row) for row in rows] == [
        {"kind": "hard_block", "rule": "r-1", "operation": "drop_table", "reversible": False,
         "mode": "enforce", "x_columns": '{"owner":"sre"}'},
        {"kind": "shadow_hit", "rule": "r-2", "observed_at": AT, "would_block": True, **day},
        {"kind": "override", "rule": "r-1", "requested_at": AT,
         "granted_at": AT + timedelta(minutes=4), "granted_by": "lee", **day},
        {"kind": "policy_snapshot", "policy_digest": "abc", "observed_at": AT, **day},
    ]  # fmt: skip


def test_csv_json_lines_and_parquet_land_the_same_override(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_text(
        "requested_at,granted_at,rule,by\r\n2026-10-05T09:00:00Z,2026-10-05 09:01:00,r-1,lee\r\n"
    )
    lines = tmp_path / "b.jsonl"
    lines.write_text(
        '{"requested_at":"2026-10-05T09:00Z","granted_at":"2026-10-05T09:01:00Z","rule":"r-1",'
        '"by":"lee"}\n'
    )
    parquet = tmp_path / "c.parquet"
    zone = timezone(timedelta(hours=2))
    record = {"requested_at": AT.astimezone(zone), "granted_at": AT + timedelta(minutes=1),
              "rule": "r-1", "by": "lee"}  # fmt: skip
    pq.write_table(pa.Table.from_pylist([record]), parquet)
    found = [landed(file) for file in (csv, lines, parquet)]
    assert [rejected for _, rejected in found] == [[], [], []]
    assert len({tuple(sorted(map(str, said(row).items()))) for ((row,), _) in found}) == 1


def test_parquet_with_nanoseconds_is_read_to_the_microsecond(tmp_path: Path) -> None:
    file = tmp_path / "hits.parquet"
    table = pa.table(
        {
            "time": pa.array([AT], pa.timestamp("ns", "UTC")),
            "rule": ["r-1"],
            "would_block": pa.array([False]),
        }
    )
    pq.write_table(table, file)
    ((row,), rejected) = landed(file)
    assert rejected == []
    assert (row["observed_at"], row["would_block"]) == (AT, False)


def test_an_override_that_was_not_granted_is_evidence_too(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("kind,requested_at,granted_at,rule,by\noverride,2026-10-05,,r-1,\n")
    ((row,), rejected) = landed(file)
    assert rejected == []
    assert (row["granted_at"], row["granted_by"]) == (None, None)


BROKEN = {
    "hard_block,r,drop,maybe,enforce,,,,": "unreadable_boolean",
    "hard_block,r,drop,,enforce,,,,": "missing_value",
    "hard_block,,drop,true,enforce,,,,": "missing_value",
    "hard_block,r,,true,enforce,,,,": "missing_value",
    "hard_block,r,drop,true,,,,,": "missing_value",
    "override,r,,,,yesterday,,lee,": "unreadable_instant",
    "override,r,,,,,,lee,": "missing_value",
    "override,r,,,,2026-10-05,2026-10-04,lee,": "granted_before_requested",
    "shadow_hit,r,,,,,,,": "missing_columns",
    "firewall,r,,,,,,,": "unknown_kind",
    ",r,,,,,,,": "missing_value",
}


@pytest.mark.parametrize(("record", "reason"), BROKEN.items())
def test_broken_record_is_rejected_with_its_reason_and_stops_no_other(
    tmp_path: Path, record: str, reason: str
) -> None:
    file = tmp_path / "a.csv"
    header = "kind,rule,operation,reversible,mode,requested_at,granted_at,by,note"
    file.write_text(f"{header}\n{record}\nhard_block,good,drop,no,enforce,,,,\n")
    rows, rejected = landed(file)
    assert [(one.position, one.reason) for one in rejected] == [(1, reason)]
    assert [row["rule"] for row in rows] == ["good"]


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("rule,mode\nr,enforce\n", "kind"),
        ("reversible,rule\ntrue,r\n", "operation, mode"),
        ('{"kind":"override","rule":"r"}\n', "requested_at, granted_at, by"),
    ],
)
def test_table_that_does_not_say_what_it_is_is_refused_by_column(
    tmp_path: Path, text: str, lacking: str
) -> None:
    file = tmp_path / "a"
    file.write_text(text)
    with pytest.raises(ObjectRefused, match=lacking) as refused:
        landed(file)
    assert refused.value.reason == "missing_columns"


def test_a_list_that_is_written_anew_takes_its_older_entries_back(tmp_path: Path) -> None:
    """An entry that was taken off the list must not be judged for ever; and a file whose rows touch
    no day is found where all are asked for."""
    store = LandedStore(tmp_path / "lake")
    source = Source("controls", "controls", tmp_path / "controls")
    file = tmp_path / "controls" / "list.csv"
    file.parent.mkdir()
    for rule in ("one", "two"):
        file.write_text(f"rule,operation,reversible,mode\n{rule},drop,false,enforce\n")
        assert land([source], store).new == 1
    (object_id,) = store.current_objects("controls")["controls"]
    standing = [
        row["rule"]
        for path in store.paths("controls")
        for row in pq.read_table(path).to_pylist()
        if row["object_id"] == object_id
    ]
    assert standing == ["two"]
    assert store.paths("controls", date(2026, 10, 5), date(2026, 10, 5)) == []
