"""Spans that one object holds alone: no other object says the same of them.

Belongs here: holding the rows of landed objects against those of others, day by day. Does not: which
objects are compared and what follows (``sources.gone``).

Two rows say the same where all that decides which of two deliveries stands is alike
(docs/decisions/0011): every column but where a row came from and the attributes that policies name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution_pipeline.model.evidence import ORIGIN, SPANS

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed.records import LandedFile
    from attribution_pipeline.lake.landed.store import LandedView, Objects

_OWN = {"attributes", *(field.name for field in ORIGIN)}
_SAME = [field for field in SPANS if field.name not in _OWN]
_NULL_TEXT, _NULL_NUMBER = "\0", -(1 << 63)
"""Stand for null in a join, which takes null for no value; no landed text or count is either."""


_ROW = ["source", "object_id", "trace_id", "span_id"]


def spans_alone(
    landed: LandedView, objects: Objects, others: Objects, first: date, last: date
) -> dict[tuple[str, str], int]:
    """(source, object id) -> spans that end from ``first`` to ``last`` and that none of ``others`` has
    alike; 0 where each has its like.

    Raises Refusal naming a landed file that is missing or was changed.
    """
    counts = Counter({(source, one): 0 for source, ids in objects.items() for one in ids})
    for files in _by_day(landed, first, last):
        mine = _ids(landed, files, objects)
        if not mine.num_rows:
            continue
        shared = pc.is_in(mine["span_id"], value_set=_span_ids(landed, files, others))
        alone = [mine.filter(pc.invert(shared))]
        ids = pc.unique(mine.filter(shared)["span_id"])
        if len(ids):
            keys = [field.name for field in _SAME]
            theirs = _rows(landed, files, others, ids).select(keys)
            left = _rows(landed, files, objects, ids).join(theirs, keys, join_type="left anti")
            alone.append(left.select(_ROW))
        # a span that was delivered twice in one object is one
        once = pa.concat_tables(alone).group_by(_ROW).aggregate([])
        found = once.group_by(_ROW[:2]).aggregate([([], "count_all")])
        for row in found.to_pylist():
            counts[row["source"], row["object_id"]] += row["count_all"]
    return dict(counts)


def objects_sharing(
    landed: LandedView, objects: Objects, others: Objects, first: date, last: date
) -> set[tuple[str, str]]:
    """(source, object id) of those that have a span which one of ``others`` has, alike or not."""
    found: set[tuple[str, str]] = set()
    for files in _by_day(landed, first, last):
        ids = _span_ids(landed, files, others)
        if len(ids):
            mine = _ids(landed, files, objects)
            mine = mine.filter(pc.is_in(mine["span_id"], value_set=ids))
            rows = mine.group_by(_ROW[:2]).aggregate([]).to_pylist()
            found |= {(row["source"], row["object_id"]) for row in rows}
    return found


def _by_day(landed: LandedView, first: date, last: date) -> list[list[LandedFile]]:
    by_day: dict[date | None, list[LandedFile]] = {}
    for file in landed.files("spans", first, last):
        by_day.setdefault(file.day_from, []).append(file)
    return list(by_day.values())


def _span_ids(landed: LandedView, files: Iterable[LandedFile], objects: Objects) -> pa.Array:
    return pc.unique(_ids(landed, files, objects)["span_id"])


def _ids(landed: LandedView, files: Iterable[LandedFile], objects: Objects) -> pa.Table:
    """``_ROW`` of all spans of these objects: few columns, so that whole days can be looked through."""
    found = [pa.table({name: pa.array([], pa.string()) for name in _ROW})]
    for path, source, ids in _with(landed, files, objects):
        rows = pq.read_table(path, columns=_ROW[1:], partitioning=None)
        rows = rows.filter(pc.is_in(rows["object_id"], value_set=ids))
        found.append(_own(source, rows, rows.select(_ROW[2:])))
    return pa.concat_tables(found)


def _rows(
    landed: LandedView, files: Iterable[LandedFile], objects: Objects, spans: pa.Array
) -> pa.Table:
    """Rows of these objects and span ids as they are compared, with source and object id in front."""
    found = [_own("", SPANS.empty_table(), _compared(SPANS.empty_table()))]
    for path, source, ids in _with(landed, files, objects):
        rows = pq.read_table(path, partitioning=None)
        chosen = pc.and_(
            pc.is_in(rows["object_id"], value_set=ids), pc.is_in(rows["span_id"], value_set=spans)
        )
        rows = rows.filter(chosen)
        found.append(_own(source, rows, _compared(rows)))
    return pa.concat_tables(found)


def _with(
    landed: LandedView, files: Iterable[LandedFile], objects: Objects
) -> Iterator[tuple[str, str, pa.Array]]:
    """Path, source and the ids that are asked for, of files of their sources."""
    for file in files:
        ids = objects.get(file.source, ())
        if ids:
            landed.verify([file])
            (path,) = landed.local([file])
            yield path, file.source, pa.array(sorted(ids), pa.string())


def _own(source: str, rows: pa.Table, columns: pa.Table) -> pa.Table:
    named = pa.repeat(pa.scalar(source, pa.string()), rows.num_rows)
    own = {"source": named, "object_id": rows["object_id"].cast(pa.string())}
    return pa.table(own | {name: columns[name] for name in columns.column_names})


def _compared(rows: pa.Table) -> pa.Table:
    columns = {}
    for field in _SAME:
        # an older release may have known fewer columns
        known = field.name in rows.column_names
        column = rows[field.name] if known else pa.nulls(rows.num_rows, field.type)
        if pa.types.is_string(field.type):
            columns[field.name] = pc.fill_null(column.cast(pa.string()), _NULL_TEXT)
        else:
            columns[field.name] = pc.fill_null(column.cast(pa.int64()), _NULL_NUMBER)
    return pa.table(columns)
