"""What was recorded for a tenant: rows, their revisions, request level, operations.

Belongs here: reading those tables for one tenant. Does not: charges and divisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.requests import of_files, request_rows
from attribution_pipeline.proof import replay_frozen
from attribution_pipeline.proof.packet.charges import MAY_NAME, as_json

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.proof.packet.hiding import Hider
    from attribution_pipeline.proof.packet.trace import Traced

Record = dict[str, Any]

PLACES = frozenset((
    "account", "region", "server_address", "caller_cluster", "caller_namespace", "caller_pod",
    "serving_cluster", "serving_namespace", "serving_pod",
))  # fmt: skip
"""Columns of an operation that may be called after others."""

OF_ENGINE = ("op_id", "who_id", "who_key", "actor_key", "calls", "unverified")
"""Columns of an operation that the engine adds for itself."""


def rows(trace: Traced, hider: Hider) -> list[Record]:
    """The tenant's ledger rows, every column."""
    found = trace.db.table(
        "select r.* from recorded r where r.tenant_id = "
        f"{_text(trace.tenant)} order by r.attribution_id"
    )
    day = trace.found.state.day.isoformat()
    return [
        {
            **{
                name: hider.clean(value) if name in MAY_NAME else value
                for name, value in as_json(row).items()
            },
            "charge_date": day,
        }
        for row in found.to_pylist()
    ]


def revisions(lake: Lake, trace: Traced, hider: Hider) -> list[Record]:
    """Every change of those rows up to this state."""
    files = replay_frozen.files_of(lake, trace.found.manifest, "ledger_revisions")
    if not files:
        return []
    trace.db.view("all_revisions", files)
    found = trace.db.table(
        "select v.* from all_revisions v join recorded r on r.attribution_id = v.attribution_id "
        f"where r.tenant_id = {_text(trace.tenant)} order by v.attribution_id, v.revision"
    )
    return [
        {
            name: hider.clean(value) if name in MAY_NAME else value
            for name, value in as_json(row).items()
        }
        for row in found.to_pylist()
    ]


def request_costs(lake: Lake, trace: Traced) -> list[Record]:
    """What each operation has of each of those rows."""
    costs, called = (
        replay_frozen.files_of(lake, trace.found.manifest, table)
        for table in ("operation_costs", "operations")
    )
    if not costs:
        return []
    rows = request_rows(of_files(costs), of_files(called))
    trace.db.execute(f"create view all_request_costs as {rows}")
    found = trace.db.table(
        "select c.* from all_request_costs c join recorded r on r.attribution_id = c.attribution_id "
        f"where r.tenant_id = {_text(trace.tenant)} order by c.attribution_id, c.operation_key"
    )
    return [
        {
            **{name: value for name, value in as_json(row).items() if name != "operation_number"},
            "weight": str(row["weight"]),
        }
        for row in found.to_pylist()
    ]


def operations(trace: Traced, hider: Hider) -> list[Record]:
    """The tenant's operations as the day was computed from them: also those that ended on another day
    and were active on this one."""
    found = trace.db.table(
        "select o.*, w.on_gpu from ops o join worked w on w.op_id = o.op_id "
        "where o.who_id in (select who_id from mine) order by o.operation_key"
    )
    return [
        {
            name: hider.clean(value) if name in PLACES else value
            for name, value in as_json(row).items()
            if name not in OF_ENGINE
        }
        for row in found.to_pylist()
    ]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
