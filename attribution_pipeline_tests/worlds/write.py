"""A world's evidence as landed Parquet files, as landing would leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline_tests.oracle.words import Evidence

Files = dict[str, list[str]]
Objects = dict[str, dict[str, list[str]]]


def landed(evidence: Evidence, folder: Path, *, files_per_table: int = 1) -> tuple[Files, Objects]:
    """Writes every table; returns paths by table, and the object ids that stand by table, source.

    ``files_per_table``: how many files the records are dealt to, in turns.
    """
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "billing": evidence.billing,
        "spans": evidence.spans,
        "opencost_allocations": evidence.allocations,
        "opencost_assets": evidence.assets,
        "usage": evidence.usage,
        "kubernetes": evidence.kubernetes,
    }
    files: Files = {}
    objects: Objects = {}
    for table, records in tables.items():
        schema = pa.schema([pa.field("source", pa.string()), *SCHEMAS[table]])
        files[table] = []
        for number in range(files_per_table):
            path = folder / f"{table}-{number}.parquet"
            rows = list(records[number::files_per_table])
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="none")
            files[table].append(str(path))
        stands: dict[str, list[str]] = {
            source: list(ids) for source, ids in evidence.standing.get(table, {}).items()
        }
        for record in records:
            if record["source"] not in evidence.standing.get(table, {}):
                ids = stands.setdefault(record["source"], [])
                if record["object_id"] not in ids:
                    ids.append(record["object_id"])
        objects[table] = stands
    return files, objects
