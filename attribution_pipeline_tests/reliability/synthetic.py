"""Days whose every state is known in advance, so that a reader can tell a state from a mixture.

Belongs here: the rows of state ``step`` of day ``day``, the tasks of a writer, in their order. Does
not: processes (``writers``), who is killed when (``kills``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.lake import CommitReceipt, Lake, StoredFile
from attribution_pipeline.lake.landed import LandedStore
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES, schema_of
from attribution_pipeline.model.evidence import USAGE
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.buckets.paths import Root
from attribution_pipeline_tests.lake.days import manifest
from attribution_pipeline_tests.model.policies import DESIGN

FIRST_DAY = date(2026, 10, 5)
RECORDED_AT = datetime(2026, 11, 1, tzinfo=UTC)
PLANE = "billing"
OF_A_DAY = (LEDGER, *SIDE_TABLES)
CUMULATIVE = "ledger_revisions"
"""Its files of earlier states stay, and each state adds one."""

TASKS = ("land", "keep", "record")
"""What a writer does for each state, in this order."""


def date_of(day: int) -> date:
    return FIRST_DAY + timedelta(days=day)


def amounts(day: int, step: int) -> list[Decimal]:
    """Billed amounts of a state: the number of rows changes with it, and the sum names it."""
    first = [Decimal("0.25")] * (1 + step % 4)
    return [*first, Decimal(10_000 * (day + 1) + step) - sum(first)]


def step_of(day: int, found: Sequence[Decimal]) -> int:
    """The state that these are the amounts of, all of them and no others."""
    step = int(sum(found)) - 10_000 * (day + 1)
    if sorted(found) != sorted(amounts(day, step)):
        raise AssertionError(f"torn read of day {day}: {list(map(str, found))} is no state of it")
    return step


def rows(table: str, day: int, step: int) -> list[dict[str, Any]]:
    """Rows of a state's table; every text key names the state."""
    schema = schema_of(table)
    key = next(field.name for field in schema if pa.types.is_string(field.type))
    found: list[dict[str, Any]] = []
    for n, amount in enumerate(amounts(day, step)):
        row: dict[str, Any] = {key: f"{day}.{step}.{n}"}
        for name in ("billed_cost", "effective_cost"):
            if name in schema.names:
                row[name] = amount
        found.append(row)
    return found


def write(table: str, day: int, step: int, folder: Path) -> Path:
    """A state's table as one Parquet file, as the engine would leave it."""
    stored = pa.schema([field for field in schema_of(table) if field.name != "charge_date"])
    path = folder / f"{table}-{day}-{step}.parquet"
    pq.write_table(pa.Table.from_pylist(rows(table, day, step), schema=stored), path)
    return path


def record(lake: Lake, day: int, step: int, **changes: Any) -> CommitReceipt:
    """Commit state ``step`` of a day with the evidence and the policy that are kept for it."""
    content = f"{day}.{step}"
    said = dict(manifest(content, RECORDED_AT, **changes))
    kept = lake.evidence.find(PLANE, date_of(day), basis=content)
    if kept is not None:
        said["inputs"] = {PLANE: kept.as_input()}
    said["policy"] = {**said["policy"], "file": lake.policies.keep(parse_policy(DESIGN)).as_dict()}
    head = lake.head(date_of(day))
    before = lake.document(head)["files"] if head else {}
    with lake.staging(date_of(day)) as folder:
        files: dict[str, list[Path | StoredFile]] = {}
        for table in OF_A_DAY:
            stays = [lake.stored(entry) for entry in before.get(table, [])]
            files[table] = [
                *(stays if table == CUMULATIVE else []),
                write(table, day, step, folder),
            ]
        return lake.commit_day(date_of(day), files, said)


def keep(lake: Lake, day: int, step: int) -> str:
    """Keep the evidence of a state; it is found again where it stands already."""
    basis = f"{day}.{step}"
    if lake.evidence.find(PLANE, date_of(day), basis) is None:
        with lake.staging(date_of(day)) as folder:
            path = folder / "charges.parquet"
            pq.write_table(pa.table({"charge_id": [f"{basis}.{n}" for n in range(3)]}), path)
            lake.evidence.keep(
                PLANE,
                date_of(day),
                basis=basis,
                digest=basis,
                files={"charges": [path]},
                rows={"charges": 3},
            )
    return basis


def land(store: LandedStore, day: int, step: int) -> str:
    """Land one object of two rows; known content is not landed a second time."""
    object_id = f"o.{day}.{step}"
    said = [
        {"object_id": object_id, "position": n, "date": date_of(day), "quantity": str(n)}
        for n in (1, 2)
    ]
    with store.open_batch() as batch:
        if object_id not in store.object_ids("s"):
            batch.add("usage", "s", pa.Table.from_pylist(said, schema=USAGE))
            batch.add_object(
                kind="usage", source="s", uri=f"/in/{object_id}", path=object_id,
                fingerprint="1-1", size=1, object_id=object_id,
            )  # fmt: skip
            batch.commit()
    return object_id


def perform(storage: Root, task: str, day: int, step: int) -> str:
    """Do a task, for the first time or again; returns what the lake answered."""
    if task == "land":
        return land(LandedStore(storage), day, step)
    if task == "keep":
        return keep(Lake(storage), day, step)
    return record(Lake(storage), day, step).manifest_id


def following(task: str, day: int, step: int, days: int) -> tuple[str, int, int]:
    """The task after this one: all tasks of a state, then the next day's, then the next step."""
    at = TASKS.index(task) + 1
    if at < len(TASKS):
        return TASKS[at], day, step
    return (TASKS[0], day + 1, step) if day + 1 < days else (TASKS[0], 0, step + 1)
