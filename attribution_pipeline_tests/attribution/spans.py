"""OTLP spans to the operations of a day, by the reader and the engine, and nothing between.

Belongs here: landing documents, the plane of one day, its two tables as rows. Does not: statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Compute, Landed, Plane
from attribution_pipeline.attribution.operations import operation_plane
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.model.tokens import BUCKETS, INPUT_BUCKETS, KINDS
from attribution_pipeline_tests.attribution.days import METERS
from attribution_pipeline_tests.sources.otlp_documents import land, lines, request, span

COMPUTE = Compute(threads=1, memory_limit="1GB")
LANDED = pa.schema([pa.field("source", pa.string()), *SCHEMAS["spans"]])
MIDNIGHT_NS = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 10**9
DAY = date(2026, 11, 21)
MS = 10**6

Row = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What spans came to."""

    plane: Plane
    operations: list[Row]
    merged: list[Row]

    def reasons(self) -> list[str]:
        """Of what was not counted, sorted."""
        return sorted(row["reason"] for row in self.merged)

    def tokens(self) -> tuple[int, int]:
        """Input and output of every operation."""
        return (
            sum(row[bucket] or 0 for row in self.operations for bucket in INPUT_BUCKETS),
            sum(row[bucket] or 0 for row in self.operations for bucket in KINDS["output"]),
        )

    def buckets(self) -> list[tuple[int | None, ...]]:
        """Of metered operations, in the order in which they began."""
        found = sorted(self.operations, key=lambda row: row["start_unix_nano"])
        return [tuple(row[bucket] for bucket in BUCKETS) for row in found if row["metered"]]


def told(
    folder: Path,
    rows: Iterable[Mapping[str, Any]],
    day: date = DAY,
    *,
    files: int = 1,
    compute: Compute = COMPUTE,
) -> Told:
    """The operations of landed rows, which need no ``source``, dealt to so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [{"source": "traces"} | dict(row) for row in rows]
    paths = [folder / f"spans-{number}.parquet" for number in range(files)]
    for number, path in enumerate(paths):
        pq.write_table(pa.Table.from_pylist(found[number::files], schema=LANDED), path)
    plane = operation_plane(
        Landed({"spans": [str(path) for path in paths]}, {}), day, parse_policy(METERS),
        out=folder, compute=compute,
    )  # fmt: skip
    return Told(plane, *(_rows(plane, table) for table in ("operations", "merged")))


def _rows(plane: Plane, table: str) -> list[Row]:
    return [row for path in plane.files[table] for row in pq.read_table(path).to_pylist()]


def landed_span(
    tag: str,
    scope: tuple[str, str | None],
    values: dict[str, Any],
    *,
    at_ms: int,
    ms: int,
    parent: str | None = None,
    trace: int = 1,
    service: str = "app",
    **fields: Any,
) -> Row:
    """The landed row of one span. ``tag`` makes its id; ``at_ms`` counts from noon."""
    start = MIDNIGHT_NS + 12 * 3600 * 10**9 + at_ms * MS
    document = request(
        span(
            values,
            traceId=f"{trace:032x}",
            spanId=span_id(tag),
            parentSpanId=span_id(parent) if parent else None,
            startTimeUnixNano=str(start),
            endTimeUnixNano=str(start + ms * MS),
            **fields,
        ),
        scope=scope,
        resource={"service.name": service},
    )
    rows, rejected = land(lines(document))
    assert rejected == []
    return rows[0]


def span_id(tag: str) -> str:
    """A span's id of its tag."""
    return tag.encode().hex().rjust(16, "0")[-16:]
