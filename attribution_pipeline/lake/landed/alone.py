"""Spans that one object holds alone: no other object says the same of them.

Belongs here: holding the rows of landed objects against those of others, on one day. Does not: which
objects are compared and what follows (``sources.gone``).

Two rows say the same where all that decides which of two deliveries stands is alike
(docs/decisions/0011): every column but where a row came from and the attributes that policies name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution_pipeline.model.evidence import ORIGIN, SPANS

if TYPE_CHECKING:
    from attribution_pipeline.lake.landed.store import LandedView, Objects

_NOT_COMPARED = {"attributes", *(field.name for field in ORIGIN)}
_COMPARED = [field for field in SPANS if field.name not in _NOT_COMPARED]
_COMPARED_NAMES = [field.name for field in _COMPARED]
_NULL_TEXT, _NULL_NUMBER = "\0", -(1 << 63)
"""Stand for null in a join, which takes null for no value; no landed text or count is either."""

_OBJECT = ["source", "object_id"]
_SPAN = ["trace_id", "span_id"]


def spans_alone(
    landed: LandedView, objects: Objects, others: Objects, day: date
) -> dict[tuple[str, str], int]:
    """(source, object id) -> spans that end on ``day`` and that none of ``others`` has alike; 0 where each
    has its like.

    Raises Refusal naming a landed file that is missing or was changed.
    """
    counts = Counter({(source, one): 0 for source, ids in objects.items() for one in ids})
    mine = pa.concat_tables([_NO_SPANS, *_spans_of(landed, objects, day)])
    delivered_twice = _shared_ids(landed, others, day, pc.unique(mine["span_id"]))
    is_shared = pc.is_in(mine["span_id"], value_set=delivered_twice)
    alone = [mine.filter(pc.invert(is_shared))]
    if len(delivered_twice):
        theirs = _compared_rows(landed, others, day, delivered_twice).select(_COMPARED_NAMES)
        rows = _compared_rows(landed, objects, day, delivered_twice)
        left = rows.join(theirs, _COMPARED_NAMES, join_type="left anti")
        alone.append(left.select([*_OBJECT, *_SPAN]))
    # a span that was delivered twice in one object is one
    once = pa.concat_tables(alone).group_by([*_OBJECT, *_SPAN]).aggregate([])
    for row in once.group_by(_OBJECT).aggregate([([], "count_all")]).to_pylist():
        counts[row["source"], row["object_id"]] += row["count_all"]
    return dict(counts)


def objects_sharing(
    landed: LandedView, objects: Objects, others: Objects, day: date
) -> set[tuple[str, str]]:
    """(source, object id) of those that have a span of ``day`` which one of ``others`` has, alike or not.

    Raises Refusal as above.
    """
    theirs = [pc.unique(rows["span_id"]) for rows in _spans_of(landed, others, day)]
    if not theirs:
        return set()
    ids = pc.unique(pa.concat_arrays(theirs))
    found: set[tuple[str, str]] = set()
    for rows in _spans_of(landed, objects, day):
        shared = rows.filter(pc.is_in(rows["span_id"], value_set=ids))
        found |= {(one["source"], one["object_id"]) for one in _objects_in(shared)}
    return found


def _files(landed: LandedView, objects: Objects, day: date) -> Iterator[tuple[str, str]]:
    """Source and verified local path of the day's files in which these objects may be."""
    for file in landed.files("spans", day, day):
        if objects.get(file.source):
            landed.verify([file])
            (path,) = landed.local([file])
            yield file.source, path


def _spans_of(landed: LandedView, objects: Objects, day: date) -> Iterator[pa.Table]:
    """Source, object, trace and span id of all spans of these objects, file by file."""
    for source, path in _files(landed, objects, day):
        rows = pq.read_table(path, columns=["object_id", *_SPAN], partitioning=None)
        rows = _only(rows, objects, source)
        if rows.num_rows:
            yield _with_object(source, rows, rows.select(_SPAN))


def _shared_ids(landed: LandedView, others: Objects, day: date, span_ids: pa.Array) -> pa.Array:
    """Those of the span ids that others have, too."""
    found = [pa.array([], pa.string())]
    for source, path in _files(landed, others, day) if len(span_ids) else ():
        rows = pq.read_table(path, columns=["object_id", "span_id"], partitioning=None)
        rows = _only(rows.filter(pc.is_in(rows["span_id"], value_set=span_ids)), others, source)
        found.append(pc.unique(rows["span_id"]).cast(pa.string()))
    return pc.unique(pa.concat_arrays(found))


def _compared_rows(landed: LandedView, objects: Objects, day: date, span_ids: pa.Array) -> pa.Table:
    """Rows of these objects and span ids as they are compared, with source and object id in front."""
    empty = SPANS.empty_table()
    found = [_with_object("", empty, _compared(empty))]
    for source, path in _files(landed, objects, day):
        rows = pq.read_table(path, partitioning=None)
        rows = _only(rows.filter(pc.is_in(rows["span_id"], value_set=span_ids)), objects, source)
        found.append(_with_object(source, rows, _compared(rows)))
    return pa.concat_tables(found)


def _only(rows: pa.Table, objects: Objects, source: str) -> pa.Table:
    """A file's rows of these objects. Its own ids are looked up, which are few: a set of all of a source,
    made an array for each file, would cost with the square of the files."""
    wanted = objects[source]
    ids = [one for one in pc.unique(rows["object_id"]).to_pylist() if one in wanted]
    return rows.filter(pc.is_in(rows["object_id"], value_set=pa.array(ids, pa.string())))


def _objects_in(rows: pa.Table) -> list[dict[str, str]]:
    found: list[dict[str, str]] = rows.group_by(_OBJECT).aggregate([]).to_pylist()
    return found


def _with_object(source: str, rows: pa.Table, columns: pa.Table) -> pa.Table:
    """Columns with the source and object id of their rows in front."""
    sources = pa.repeat(pa.scalar(source, pa.string()), rows.num_rows)
    front = {"source": sources, "object_id": rows["object_id"].cast(pa.string())}
    return pa.table(front | {name: columns[name] for name in columns.column_names})


def _compared(rows: pa.Table) -> pa.Table:
    """The columns that two deliveries of a span are compared by, without nulls."""
    columns = {}
    for field in _COMPARED:
        # an older release may have known fewer columns
        known = field.name in rows.column_names
        column = rows[field.name] if known else pa.nulls(rows.num_rows, field.type)
        if pa.types.is_string(field.type):
            columns[field.name] = pc.fill_null(column.cast(pa.string()), _NULL_TEXT)
        else:
            columns[field.name] = pc.fill_null(column.cast(pa.int64()), _NULL_NUMBER)
    return pa.table(columns)


_NO_SPANS = pa.table({name: pa.array([], pa.string()) for name in [*_OBJECT, *_SPAN]})
