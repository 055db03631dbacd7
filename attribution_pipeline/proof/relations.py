"""Recorded days as relations that a proof's queries read.

Belongs here: which files of a day a query sees under which name, each hashed first, and how a
person opens the same files to run the query again. Does not: any query.

``ledger``, ``operation_costs`` and ``operations`` hold the newest state of every day. Operations are
those of the evidence that the day was computed from: the published table lacks calls that were
active on the day and ended after it. Request rows name their operation by ``operation_key``, which the
published table gives them (``attribution.requests``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.requests import of_files, request_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

LEDGER, OPERATION_COSTS, OPERATIONS = "ledger", "operation_costs", "operations"
PUBLISHED_OPERATIONS = "published_operations"
"""The table ``operations`` itself: request rows call operations by its numbers."""

AT_REST = "operation_costs_at_rest"
"""The files of ``operation_costs`` as they are, for people who open them themselves."""

REQUEST_LEVEL = f"create view {OPERATION_COSTS} as {request_rows(AT_REST, PUBLISHED_OPERATIONS)}"
"""What then makes ``operation_costs`` of them, with the key of every operation."""

OPERATION_COLUMNS = (
    "operation_key", "trace_id", "span_id", "provider", "model", "metered", "attempt",
    "tenant_id", "workflow_id", "originator_id", "identity_source", "verdict", "issuance_id",
    "parent_issuance_id", "unverified",
)  # fmt: skip
"""Of the operation plane, in any version of it: a column that an older plane lacks is null."""


@dataclass(frozen=True)
class RecordedDay:
    """A recorded state of a day and its manifest."""

    state: Published
    manifest: Mapping[str, Any]

    @property
    def day(self) -> date:
        """The charge day."""
        return self.state.day

    def entries(self, relation: str) -> list[Mapping[str, Any]]:
        """The files of a relation, as the manifest names them."""
        if relation == OPERATIONS:
            return list(self.manifest["inputs"]["operations"]["files"]["operations"])
        if relation == PUBLISHED_OPERATIONS:
            relation = OPERATIONS
        return list(self.manifest["files"].get(relation, ()))


def recorded_days(lake: Lake, days: Iterable[date]) -> list[RecordedDay]:
    """The newest state of each of the days that is recorded."""
    found = [lake.head(day) for day in days]
    return [RecordedDay(state, lake.document(state)) for state in found if state is not None]


def open_days(
    db: Session, lake: Lake, days: Sequence[RecordedDay], relations: Sequence[str]
) -> None:
    """Views of ``relations`` in ``db``, with ``charge_date``. Every file is hashed first: Refusal
    names one that is missing or was changed."""
    for relation in relations:
        if any(recorded.entries(relation) for recorded in days):
            db.execute(_view(lake, relation, days))
        else:
            db.load(relation, _empty(relation))


def files_of(lake: Lake, days: Sequence[RecordedDay], relation: str) -> list[dict[str, Any]]:
    """The files behind a relation: day, path in the storage, sha256, rows."""
    return [
        {"charge_date": recorded.day.isoformat(), **lake.stored(entry).as_dict()}
        for recorded in days
        for entry in recorded.entries(relation)
    ]


def _view(lake: Lake, relation: str, days: Sequence[RecordedDay]) -> str:
    parts = []
    for recorded in days:
        files = _verified(lake, recorded, relation)
        day = f"date '{recorded.day.isoformat()}' as charge_date"
        if relation == OPERATION_COSTS and files:
            called = _verified(lake, recorded, PUBLISHED_OPERATIONS)
            rows = request_rows(of_files(files), of_files(called))
            parts.append(f"select *, {day} from ({rows})")
            continue
        parts += [
            f"select {_columns(relation, path)}, {day} "
            f"from read_parquet({quoted(path)}, hive_partitioning = false)"
            for path in files
        ]
    return f"create view {relation} as " + " union all by name ".join(parts)


def _verified(lake: Lake, recorded: RecordedDay, relation: str) -> list[str]:
    return [str(lake.verified(lake.stored(entry))) for entry in recorded.entries(relation)]


def _columns(relation: str, path: str) -> str:
    if relation != OPERATIONS:
        return "*"
    import pyarrow.parquet as pq

    there = set(pq.read_schema(path).names)
    return ", ".join(
        name if name in there else f"cast(null as varchar) as {name}" for name in OPERATION_COLUMNS
    )


def _empty(relation: str) -> pa.Table:
    """A relation of no file, in its types."""
    import pyarrow as pa

    from attribution_pipeline.lake.shapes import schema_of

    if relation != OPERATIONS:
        return schema_of(relation).empty_table()
    types = {"metered": pa.bool_(), "attempt": pa.int32(), "unverified": pa.bool_()}
    return pa.schema(
        [pa.field(name, types.get(name, pa.string())) for name in OPERATION_COLUMNS]
    ).empty_table()


def quoted(text: str) -> str:
    """As an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
