"""Days to record in tests: the smallest files that have the tables' schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.lake import CommitReceipt, Lake
from attribution_pipeline.model.ledger import (
    LEDGER,
    LEDGER_REVISIONS,
    OPERATION_COSTS,
    OPERATIONS,
    VARIANCES,
)

DAY = date(2026, 10, 5)
SCHEMAS = {"ledger": LEDGER, "operation_costs": OPERATION_COSTS, "operations": OPERATIONS}
"""Tables that every day has."""
RARE = {"ledger_revisions": LEDGER_REVISIONS, "variances": VARIANCES}
RECORDED_AT = datetime(2026, 10, 6, 3, tzinfo=UTC)


def day_files(
    folder: Path,
    amounts: list[str],
    recorded_at: datetime,
    revisions: Sequence[str] = (),
    variances: Sequence[str] = (),
) -> dict[str, list[Path]]:
    """One Parquet file per table, without ``charge_date``; the ledger has a row per amount.

    ``revisions`` and ``variances``: ids of such rows; no file where there are none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "attribution_id": f"row-{n:06d}",
            "billed_cost": Decimal(text),
            "effective_cost": Decimal(text),
            "recorded_at": recorded_at,
        }
        for n, text in enumerate(amounts)
    ]
    costs = [
        {"attribution_id": row["attribution_id"], "operation_number": n, "weight": 1}
        for n, row in enumerate(rows)
    ]
    operations = [{"operation_number": n, "operation_key": f"op-{n}"} for n in range(len(rows))]
    contents = {
        "ledger": rows,
        "operation_costs": costs,
        "operations": operations,
        "ledger_revisions": [{"attribution_id": one, "revision": 2} for one in revisions],
        "variances": [{"attribution_id": one} for one in variances],
    }
    files = {}
    for table, schema in {**SCHEMAS, **RARE}.items():
        if table in RARE and not contents[table]:
            continue
        stored = pa.schema([field for field in schema if field.name != "charge_date"])
        path = folder / f"{table}.parquet"
        pq.write_table(pa.Table.from_pylist(contents[table], schema=stored), path)
        files[table] = [path]
    return files


def manifest(content: str, recorded_at: datetime, **changes: Any) -> Mapping[str, Any]:
    """What a run says of the day; ``content`` stands for its evidence and its result."""
    return {
        "recorded_at": recorded_at.isoformat(),
        "inputs": {"billing_exports": {"digest": content, "files": {}}},
        "policy": {"policy": "p", "version": 1, "digest": "d" * 64},
        "kernel": "1",
        "output": {"content_digest": content, "rows": {}, "totals": []},
        **changes,
    }


def record(
    lake: Lake,
    day: date,
    amounts: list[str],
    *,
    recorded_at: datetime = RECORDED_AT,
    content: str | None = None,
    revisions: Sequence[str] = (),
    variances: Sequence[str] = (),
    **changes: Any,
) -> CommitReceipt:
    """Record a day whose ledger has these amounts."""
    with lake.staging(day) as folder:
        files = day_files(folder, amounts, recorded_at, revisions, variances)
        said = manifest(content or "/".join(amounts), recorded_at, **changes)
        return lake.commit_day(day, files, said)


def amounts_of(lake: Lake, day: date) -> list[str]:
    """The recorded billed amounts of a day, as text."""
    column = lake.read("ledger", day, day, ["billed_cost"])["billed_cost"]
    return [format(value.as_py().normalize(), "f") for value in column]
