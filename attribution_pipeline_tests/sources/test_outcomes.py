"""Outcomes as applications report them: what is read, and what is turned away by name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from attribution_pipeline.model.evidence import OUTCOMES
from attribution_pipeline.sources.objects import list_objects, open_object
from attribution_pipeline.sources.outcomes import read_outcomes
from attribution_pipeline.sources.rejection import ObjectRefused

TRACE = "AB" * 16


def read(file: Path) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    (obj,) = list_objects("outcomes", file).objects
    rows, rejected = [], []
    with open_object(obj) as opened:
        for batch in read_outcomes(opened.data, obj, opened.object_id):
            assert batch.rows.schema.equals(OUTCOMES)
            rows += batch.rows.to_pylist()
            rejected += [(one.position, one.reason) for one in batch.rejected]
    skipped = ("object_id", "position")
    said = [{k: v for k, v in row.items() if v is not None and k not in skipped} for row in rows]
    return said, rejected


def test_an_outcome_is_of_an_operation_or_of_a_trace_and_its_value_is_exact(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.jsonl"
    file.write_text(
        f'{{"time":"2026-10-05T23:30:00-02:00","trace_id":"{TRACE}","kind":"resolution","value":0.1,'
        '"ticket":"T-1"}\n'
        '{"time":"2026-10-05T09:00:00Z","operation_id":"op-1","kind":"accepted_suggestion"}\n'
    )
    rows, rejected = read(file)
    assert rejected == []
    assert rows == [
        {
            "date": date(2026, 10, 6), "observed_at": datetime(2026, 10, 6, 1, 30, tzinfo=UTC),
            "trace_id": TRACE.lower(), "kind": "resolution", "value": Decimal("0.1"),
            "x_columns": '{"ticket":"T-1"}',
        },
        {
            "date": date(2026, 10, 5), "observed_at": datetime(2026, 10, 5, 9, tzinfo=UTC),
            "operation_id": "op-1", "kind": "accepted_suggestion",
        },
    ]  # fmt: skip


def test_what_cannot_be_an_outcome_is_counted_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.csv"
    wrong = {
        ",,x,1": "missing_value",
        f"2026-10-05T09:00:00Z,{TRACE},,1": "missing_value",
        f"yesterday,{TRACE},x,1": "unreadable_instant",
        "2026-10-05T09:00:00Z,q83vASNFZ4mrze8BI0VniQ==,x,1": "unreadable_trace_id",
        f"2026-10-05T09:00:00Z,{'0' * 32},x,1": "unreadable_trace_id",
        f"2026-10-05T09:00:00Z,{TRACE},x,much": "unreadable_amount",
        "2026-10-05T09:00:00Z,,x,1": "missing_value",
    }
    good = f"2026-10-05T09:00:00Z,{TRACE},x,"
    file.write_text("\n".join(["time,trace_id,kind,value", *wrong, good, ""]))
    rows, rejected = read(file)
    assert len(rows) == 1
    assert rejected == list(enumerate(wrong.values(), start=1))


def test_a_table_without_either_id_is_refused_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.csv"
    file.write_text("time,kind\n2026-10-05T09:00:00Z,x\n")
    with pytest.raises(ObjectRefused, match="lacks the column trace_id"):
        read(file)
