"""Whether what stands in storage is what was recorded, file by file.

Belongs here: every file that a manifest names, and asking each table's log. Does not: repairing
anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attribution_pipeline.lake.files import StoredFile, damage, verified
from attribution_pipeline.lake.shapes import LEDGER, SIDE_TABLES, TABLES
from attribution_pipeline.lake.store import Store

if TYPE_CHECKING:
    from datetime import date

    from attribution_pipeline.lake.delta import DayTable
    from attribution_pipeline.lake.states import Published, States


def files_named(document: Mapping[str, Any]) -> Iterator[tuple[str, StoredFile]]:
    """(what it is, file) of everything that a manifest names: tables, evidence, the policy."""
    for table, entries in sorted(document["files"].items()):
        for entry in entries:
            yield table, StoredFile(**entry)
    for plane, evidence in sorted(document["inputs"].items()):
        for table, entries in sorted(evidence["files"].items()):
            for entry in entries:
                yield f"{plane}.{table}", StoredFile(**entry)
    policy = document["policy"].get("file")
    if policy:
        yield "policy", StoredFile(**policy)


def differences(
    store: Store, tables: Mapping[str, DayTable], day: date, document: Mapping[str, Any]
) -> list[str]:
    """Where files, or what Delta's log names, are not what a day's newest manifest says."""
    found = [
        f"{what}: {text}"
        for what, stored in files_named(document)
        for text in damage(store, stored)
    ]
    for table in (LEDGER, *SIDE_TABLES):
        named = sorted(entry["path"] for entry in document["files"].get(table, []))
        active = tables[table].active(day)
        if active != named:
            found.append(f"{table}: Delta's log names {active}, the manifest {named}")
    return found


def verify(
    store: Store, tables: Mapping[str, DayTable], states: States, wanted: Sequence[Published]
) -> None:
    """Raise Refusal naming the first file that is damaged or missing: every table's log, seals and
    checkpoints, and of the wanted states the manifest and all that it names."""
    for table in TABLES:
        tables[table].verify()
    seen: set[StoredFile] = set()
    for state in wanted:
        for _, stored in files_named(states.document(state)):
            if stored not in seen:
                verified(store, stored, anew=True)
            seen.add(stored)
