"""An OpenCost answer to landed rows.

Belongs here: which rows of an answer stand, what repeats, when the answer as a whole is refused.
Does not: fields of a row (``allocation``, ``assets``), comparing nodes with assets or bills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.sources.batch import Batch, Rejected
from attribution_pipeline.sources.objects import SourceObject
from attribution_pipeline.sources.opencost.allocation import (
    allocation_identity,
    allocation_row,
    rejected_allocation,
)
from attribution_pipeline.sources.opencost.assets import asset_row, rejected_asset
from attribution_pipeline.sources.opencost.envelope import Payload, parse
from attribution_pipeline.sources.rejection import ObjectRefused, RecordRejected

QUERY_REASONS = ("not_container_grain", "window_not_a_utc_day")
"""Faults of the query, not of a row: where no row is free of them the whole answer is refused."""

TABLES = {"allocation": "opencost_allocations", "assets": "opencost_assets"}


def read(
    data: bytes | BinaryIO, obj: SourceObject, object_id: str, *, cluster: str | None
) -> Iterator[Batch]:
    """One batch of ``opencost_allocations`` or ``opencost_assets``, by the shape of the answer.

    Position is the row's number in the answer, over all its steps. ``cluster``, the deployment's
    word, overrides the answer's. Raises ObjectRefused where the answer is not evidence.
    """
    payload = parse(data, obj.uri)
    kept: dict[int, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    unusable: dict[int, tuple[str, Any, str]] = {}
    rejected: list[Rejected] = []
    for position, key, row in payload.rows():
        try:
            kept[position] = _row(payload, key, row, cluster)
        except RecordRejected as no:
            rejected.append(Rejected(position, no.reason, no.detail))
            unusable[position] = (key, row, no.reason)
    _refuse_query(kept, rejected, obj)
    if cluster is not None:
        _refuse_several_clusters(payload, cluster, obj)
    known = _names_of(payload, unusable, kept, cluster)
    rejected += _drop_repeated(kept, known)
    if not kept and not rejected:
        rejected.append(Rejected(0, "no_rows", "the answer holds no row: was the window served?"))
    rejected.sort(key=lambda record: record.position)
    table = TABLES[payload.kind]
    rows = {position: landed for position, (_, landed) in kept.items()}
    rows |= known
    yield Batch(table, _table(table, object_id, dict(sorted(rows.items()))), rejected)


def _row(
    payload: Payload, key: str, row: Any, cluster: str | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """(what may stand only once in the answer, the landed row)."""
    if payload.kind == "allocation":
        landed = allocation_row(key, row, cluster)
        return allocation_identity(landed), landed
    # assets are keyed by cluster, name and provider id; one node under two instance types is two
    # keys, and a question for the engine, not a repetition
    landed = asset_row(row, cluster)
    return (key, landed["window_start"]), landed


def _names_of(
    payload: Payload,
    unusable: dict[int, tuple[str, Any, str]],
    kept: dict[int, tuple[tuple[Any, ...], dict[str, Any]]],
    cluster: str | None,
) -> dict[int, dict[str, Any]]:
    """What is known of rows that can't be used. One whose own window can't be told is of the day
    that the whole answer is of, where that is one."""
    windows = {(row["window_start"], row["window_end"]) for _, row in kept.values()}
    window = windows.pop() if len(windows) == 1 else None
    known = {}
    for position, (key, row, reason) in unusable.items():
        names = (
            rejected_allocation(key, row, cluster, reason, window)
            if payload.kind == "allocation"
            else rejected_asset(row, cluster, reason, window)
        )
        if names is not None:
            known[position] = names
    return known


def _refuse_query(kept: dict[int, Any], rejected: list[Rejected], obj: SourceObject) -> None:
    # synthetic rows have no container, so they may have passed where no workload did
    if any(landed.get("row_kind", "workload") == "workload" for _, landed in kept.values()):
        return
    for reason in QUERY_REASONS:
        details = [record.detail for record in rejected if record.reason == reason]
        if details and (not kept or reason == "not_container_grain"):
            raise ObjectRefused(reason, f"no row can be used: {details[0]}", where=obj.uri)


def _refuse_several_clusters(payload: Payload, cluster: str, obj: SourceObject) -> None:
    """An override may rename a cluster, never melt several into one."""
    found = set()
    for _, _, row in payload.rows():
        properties = row.get("properties") if isinstance(row, dict) else None
        name = properties.get("cluster") if isinstance(properties, dict) else None
        if isinstance(name, str) and name:
            found.add(name)
    if len(found) > 1:
        raise ObjectRefused(
            "several_clusters",
            f"holds the clusters {', '.join(sorted(found)[:5])}, but its source says all of it is "
            f"cluster {cluster}",
            where=obj.uri,
            remedy="remove cluster from the source in the deployment file",
        )


def _drop_repeated(
    kept: dict[int, tuple[tuple[Any, ...], dict[str, Any]]],
    known: dict[int, dict[str, Any]],
) -> list[Rejected]:
    """Repeated rows: of equal ones the first stands; of ones that differ none can be believed, and
    their names stay in ``known``."""
    times = Counter(identity for identity, _ in kept.values())
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    differing: set[tuple[Any, ...]] = set()
    repeats: list[int] = []
    for position, (identity, landed) in kept.items():
        if times[identity] == 1:
            continue
        if identity in first:
            repeats.append(position)
            if landed != first[identity]:
                differing.add(identity)
        else:
            first[identity] = landed
    dropped = dict.fromkeys(repeats, "duplicate_key")
    for position, (identity, _) in kept.items():
        if identity in differing:
            dropped[position] = "conflicting_rows"
    for position, reason in dropped.items():
        _, landed = kept.pop(position)
        if reason == "conflicting_rows":
            names = {column: landed[column] for column in _NAMES if column in landed}
            known[position] = {**names, "rejected": reason}
    return [Rejected(position, reason, _REPEATED[reason]) for position, reason in dropped.items()]


_REPEATED = {
    "duplicate_key": "the answer holds the same row before; it counts once",
    "conflicting_rows": "the answer holds this row more than once, with other values",
}


_NAMES = (
    "window_start", "window_end", "cluster", "node", "provider_id", "namespace", "pod", "container",
    "controller_kind", "controller", "row_kind", "asset_type", "name", "instance_type", "cpu_cost",
    "gpu_cost", "ram_cost",
)  # fmt: skip
"""What is kept of a row that is not believed: what it is of, and what it would cost."""


def _table(name: str, object_id: str, rows: dict[int, dict[str, Any]]) -> pa.Table:
    schema = SCHEMAS[name]
    filled: dict[str, Callable[[], list[Any]]] = {
        "object_id": lambda: [object_id] * len(rows),
        "position": lambda: list(rows),
    }
    return pa.table(
        {
            field.name: pa.array(
                filled[field.name]()
                if field.name in filled
                else [row.get(field.name) for row in rows.values()],
                type=field.type,
            )
            for field in schema
        },
        schema=schema,
    )
