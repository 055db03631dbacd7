"""What an export says of itself: that it is derived, of which states, under which rules, in which files.

Belongs here: ``metadata.json`` and the key-value metadata of the Parquet files. Does not: rows.
Names are those of FOCUS metadata where it has them (DatasetInstance, Schema, ColumnDefinition).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.export.columns import DATASET, Column
from attribution_pipeline.export.files import Stats
from attribution_pipeline.export.stage import Tally
from attribution_pipeline.lake.files import sha256_of
from attribution_pipeline.model.money import to_text

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published

FILE = "metadata.json"

DERIVED = (
    "A derived dataset: the charges of FOCUS billing exports, divided under a policy. It repeats their "
    "cost. Never add it to the exports that it is made of: every amount would count twice. Rows of one "
    "x_OriginId sum to that line of the bill in every cost and quantity."
)

METHOD = "docs/focus-export.md"
"""Where the allocation method is documented, as FOCUS 1.3 asks for."""


def in_parquet(version: str) -> dict[str, str]:
    """The key-value metadata of a file."""
    return {"focus.version": version, "focus.dataset": "CostAndUsage", "x_dataset": DATASET,
            "x_derived": DERIVED}  # fmt: skip


def statement(
    version: str,
    found: Sequence[Column],
    stats: Stats,
    states: Sequence[Published],
    tally: Tally,
    asked: Mapping[str, Any],
    files: Sequence[tuple[Published, Path, int]],
) -> str:
    """The text of ``metadata.json``: the same for the same states."""
    document = {
        "DatasetInstance": {
            "DatasetInstanceId": DATASET,
            "DatasetInstanceName": "CostAndUsage, allocated",
            "FocusDatasetId": "CostAndUsage",
        },
        "DataGenerator": {"DataGenerator": "attribution_pipeline"},
        "Derived": {"IsDerived": True, "Statement": DERIVED, "AllocationMethod": METHOD},
        "Schema": {
            "FocusVersion": version,
            "ColumnDefinition": [_definition(column, stats) for column in found],
        },
        "Asked": dict(asked),
        "Days": [_day(state) for state in states],
        "Tally": _tally(tally),
        "Files": [
            {"ChargeDate": state.day.isoformat(), "Path": path.name, "Rows": rows,
             "Bytes": path.stat().st_size, "Sha256": sha256_of(path)}
            for state, path, rows in files
        ],
    }  # fmt: skip
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _definition(column: Column, stats: Stats) -> dict[str, Any]:
    kinds = {"text": "STRING", "instant": "DATETIME", "number": "DECIMAL"}
    said: dict[str, Any] = {"ColumnName": column.name, "DataType": kinds[column.kind]}
    if column.kind == "number":
        found = stats.type_of(column)
        said |= {"NumericPrecision": found.precision, "NumberScale": found.scale}
    return said


def _day(state: Published) -> dict[str, Any]:
    return {
        "ChargeDate": state.day.isoformat(), "State": state.state, "Manifest": state.manifest_id,
        "PolicyId": state.policy, "PolicyVersion": state.policy_version,
        "PolicyDigest": state.policy_digest, "Kernel": state.kernel,
        "RecordedAt": state.recorded_at.isoformat(), "PublishedAt": state.published_at.isoformat(),
        "Settled": state.settled,
    }  # fmt: skip


def _tally(tally: Tally) -> dict[str, Any]:
    costs: dict[tuple[str, str, str], dict[str, str]] = {}
    for (currency, confidence, reason, cost), quanta in tally.quanta.items():
        of = costs.setdefault((currency or "", confidence, reason or ""), {})
        of[cost] = to_text(quanta)
    return {
        "LineSlices": tally.lines,
        "LedgerRows": tally.ledger_rows,
        "LedgerRowsAtZero": tally.ledger_rows_at_zero,
        "LedgerRowsWithoutALine": tally.ledger_rows_without_a_line,
        "Rows": tally.rows,
        "RowsOfUndividedLines": tally.lines_as_they_are,
        "Costs": [
            {"BillingCurrency": currency, "x_Confidence": confidence,
             "x_UnallocatedReason": reason or None, **amounts}
            for (currency, confidence, reason), amounts in sorted(costs.items())
        ],
    }  # fmt: skip
