"""What orchestration tests do to a deployment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.orchestration.house import House

DAY = date(2026, 10, 5)

Change = Callable[[pa.Table], pa.Table]


def record_otherwise(
    house: House,
    *,
    tables: Mapping[str, Change] | None = None,
    manifest: Mapping[str, Any] | None = None,
    day: date = DAY,
) -> None:
    """Commit the worked day again with other rows, as an engine with a defect would."""
    said = house.lake.manifest(DAY)
    kept = ("ledger", "operation_costs", "operations")
    with house.lake.staging(day) as folder:
        files: dict[str, list[Any]] = {
            table: [house.lake.stored(entry) for entry in entries]
            for table, entries in said["files"].items()
        }
        for table in kept:
            rows = house.lake.read(table, DAY, DAY).drop(["charge_date"])
            files[table] = [folder / f"{table}.parquet"]
            pq.write_table((tables or {}).get(table, lambda same: same)(rows), files[table][0])
        head = house.lake.head(day)
        house.lake.commit_day(
            day,
            files,
            {
                **{key: said[key] for key in COPIED},
                "recorded_at": datetime(2026, 10, 7, tzinfo=UTC).isoformat(),
                "previous": head.manifest_id if head else None,
                **(manifest or {"kernel": "defect"}),
            },
        )


COPIED = ("inputs", "policy", "kernel", "output", "landed", "settled", "forced", "run_id")
"""What the second manifest has from the first."""


def with_value(rows: pa.Table, place: int, column: str, value: Any) -> pa.Table:
    """The rows with one cell changed."""
    values = rows[column].to_pylist()
    values[place] = value
    at = rows.schema.get_field_index(column)
    return rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))


def place_of(rows: pa.Table, **cells: Any) -> int:
    """The first row with these cells."""
    for place, row in enumerate(rows.to_pylist()):
        if all(row[name] == value for name, value in cells.items()):
            return place
    raise AssertionError(f"no row has {cells}")


def rewrite(path: Path, old: str, new: str) -> None:
    """Replace text that is there, once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")
