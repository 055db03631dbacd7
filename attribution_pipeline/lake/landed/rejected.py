"""The records that were rejected, as they stand: of what every path holds now, each once.

Belongs here: rows out of the files of rejected records. Does not: counting them by the index
(``store``), how they read (``views.rejected``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import numpy as np

    from attribution_pipeline.lake.landed.records import ObjectRecord
    from attribution_pipeline.lake.landed.store import LandedView

SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),
        pa.field("position", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("object_id", pa.string()),
    ]
)
"""Grain: one record. ``path``: within its source; ``position``: of the record in it, 0 for the file as
a whole."""

_KEY = ("kind", "source", "object_id", "uri")


def rejected_rows(
    landed: LandedView, day_from: date | None = None, day_to: date | None = None
) -> pa.Table:
    """``SCHEMA``, by kind, source, path and position: as many rows as ``rejected_counts`` says.

    With days: of objects that touch them, or touch no day at all. Raises Refusal naming a file that
    is missing or was changed.
    """
    records = {
        (one.kind, one.source, one.object_id, one.uri): one
        for one in landed.rejected_objects(day_from, day_to)
    }
    files = landed.rejected_files()
    if not records or not files:
        return SCHEMA.empty_table()
    landed.verify(files)
    names = [name for name in SCHEMA.names if name != "path"]
    rows = pa.concat_tables(
        pq.read_table(path, columns=names, partitioning=None) for path in landed.local(files)
    )
    chosen, of = _last_read(rows, records)
    rows = rows.take(pa.array(chosen))
    paths = pa.array([one.path for one in of], pa.string())
    rows = rows.append_column("path", paths).select(SCHEMA.names).cast(SCHEMA)
    return rows.sort_by([(name, "ascending") for name in ("kind", "source", "path", "position")])


def _last_read(
    rows: pa.Table, records: dict[tuple[str, str, str, str], ObjectRecord]
) -> tuple[np.ndarray, Sequence[ObjectRecord]]:
    """Places of the rows of each record's last reading, and whose they are.

    A file that came again in another delivery was read again and gave the same rows again: of an
    object's rows its last ones count, as many as its record says.
    """
    import numpy as np

    keys = list(zip(*(rows[name].to_pylist() for name in _KEY), strict=True))
    left = {key: sum(record.rejected.values()) for key, record in records.items()}
    chosen = []
    for place in range(len(keys) - 1, -1, -1):
        key = keys[place]
        if left.get(key):
            left[key] -= 1
            chosen.append(place)
    chosen.reverse()
    return np.array(chosen, dtype=np.int64), [records[keys[place]] for place in chosen]
