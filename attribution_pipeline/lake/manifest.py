"""What a recorded day names: every input, the rule, the engine, every file. And its digest.

Belongs here: the manifest's canonical text, its id, the chain per day, the shape of the
``manifests`` table. Does not: how it is committed (``tables``).

A manifest is a JSON object. Whoever records a day gives ``recorded_at``, ``run_id``, ``inputs`` (by
plane: ``digest``, ``files``, ``rows``), ``policy`` (``policy``, ``version``, ``digest``, and ``file``,
the document that was kept), ``kernel``, ``landed`` (``ordinal`` and ``name`` of the newest landing),
``forced`` and ``output`` (``content_digest``, ``unheld_digest``, ``rows``, ``totals``). The lake adds
``schema``, ``charge_date``, ``state`` (1, 2, 3 ... per day), ``previous`` (the id of the state before,
so that states chain) and ``files``. Files stand by table as lists of ``path``, ``sha256``, ``bytes``,
``rows``. The id is the sha256 of the canonical text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Manifest = Mapping[str, Any]

SCHEMA = 2
"""Of the document: 2 has lists of files, the policy's document and the landing that was read."""


def canonical(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, amounts as plain decimal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_text
    )


def manifest_id(document: str) -> str:
    """sha256 of a manifest's canonical text."""
    return hashlib.sha256(document.encode()).hexdigest()


def state_key(manifest: Manifest) -> str:
    """What makes a state what it is: evidence, policy, kernel and content, not when or by whom.

    Two runs with one key recorded the same day: the later one changes nothing.
    """
    basis = {
        "inputs": {name: plane["digest"] for name, plane in manifest["inputs"].items()},
        "policy": manifest["policy"]["digest"],
        "kernel": manifest["kernel"],
        "content": manifest["output"]["content_digest"],
    }
    return hashlib.sha256(canonical(basis).encode()).hexdigest()


def schema() -> pa.Schema:
    """Grain: one row per day and state that was written. Published are those that the ledger's
    commits name; ``document`` is the whole manifest as JSON text."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("manifest_id", pa.string()),
            pa.field("charge_date", pa.date32()),
            pa.field("state", pa.int32()),
            pa.field("previous", pa.string()),
            pa.field("recorded_at", pa.timestamp("us", tz="UTC")),
            pa.field("policy_id", pa.string()),
            pa.field("policy_version", pa.int32()),
            pa.field("policy_digest", pa.string()),
            pa.field("kernel", pa.string()),
            pa.field("content_digest", pa.string()),
            pa.field("ledger_rows", pa.int64()),
            pa.field("document", pa.string()),
        ]
    )


def row(manifest: Manifest, document: str) -> pa.Table:
    """The one row of ``manifests`` for a manifest, without its partition column."""
    import pyarrow as pa

    values = {
        "manifest_id": manifest_id(document),
        "state": manifest["state"],
        "previous": manifest["previous"],
        "recorded_at": datetime.fromisoformat(manifest["recorded_at"]),
        "policy_id": manifest["policy"]["policy"],
        "policy_version": manifest["policy"]["version"],
        "policy_digest": manifest["policy"]["digest"],
        "kernel": manifest["kernel"],
        "content_digest": manifest["output"]["content_digest"],
        "ledger_rows": sum(file["rows"] for file in manifest["files"]["ledger"]),
        "document": document,
    }
    stored = pa.schema([field for field in schema() if field.name != "charge_date"])
    return pa.Table.from_pylist([values], schema=stored)


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a manifest")
