"""C6: every row reaches its inputs by digest, and all digests verify.

Belongs here: from a ledger row to its charge, its requests, its policy and kernel, through files that
manifests name by sha256; and those files, hashed, down to landed objects. Does not: computing
anything from them (C1, C4).

A row that a closed period holds may stand on an earlier state's evidence, so every state of a day is
looked through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.proof.ratio import NO_EVIDENCE
from attribution_pipeline.proof.relations import quoted
from attribution_pipeline.proof.replay import one_line
from attribution_pipeline.proof.routes import Route
from attribution_pipeline.proof.score.asked import Asked, of_route, read
from attribution_pipeline.proof.score.verdict import Rows, Verdict

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

QUESTION, TITLE = "C6", "lineage"

BROKEN, DAMAGED = "lineage_broken", "digest_differs"

WHOLE_PERIODS = ("billing", "closes")
"""Landed tables of which a day reads all; of the rest what touches it and its neighbours."""


def judge(asked: Asked) -> list[Verdict]:
    """One verdict a route slice. A damaged file is a FAIL of every slice, and is named."""
    days = [recorded.day for recorded in asked.days]
    try:
        asked.lake.verify(min(days), max(days))
        asked.landed.verify(_landed_files(asked, days))
        with asked.session(asked.days, "ledger", "operation_costs") as db:
            _open_states(asked, db)
            breaks = db.table(read("lineage")).to_pylist()
            counts = db.table(read("lineage_rows")).to_pylist()
    except (Refusal, OSError) as problem:
        return [_damaged(route, one_line(problem)) for route in asked.routes]
    rows = {Route.of(row): row["row_count"] for row in counts}
    return [_verdict(route, rows.get(route, 0), of_route(breaks, route)) for route in asked.routes]


def _landed_files(asked: Asked, days: list[date]) -> list[Any]:
    around = timedelta(days=1)
    return [
        file
        for table in SCHEMAS
        for file in (
            asked.landed.files(table)
            if table in WHOLE_PERIODS
            else asked.landed.files(table, min(days) - around, max(days) + around)
        )
    ]


def _open_states(asked: Asked, db: Session) -> None:
    """``charges``, ``known_operations`` and ``known_rules`` of every state of the days."""
    import pyarrow as pa

    documents = [
        (recorded.day, asked.lake.document(state))
        for recorded in asked.days
        for state in asked.lake.states(recorded.day)
    ]
    for relation, plane, table, key in (
        ("charges", "billing", "charges", "charge_id"),
        ("known_operations", "operations", "operations", "operation_key"),
    ):
        files = {
            (day, str(asked.lake.verified(asked.lake.stored(entry))))
            for day, document in documents
            for entry in document["inputs"][plane]["files"].get(table, ())
        }
        db.execute(f"create view {relation} as {_distinct(sorted(files), key)}")
    rules = {(day, said["policy"]["digest"], said["kernel"]) for day, said in documents}
    schema = pa.schema(
        [("charge_date", pa.date32()), ("policy_digest", pa.string()), ("kernel", pa.string())]
    )
    db.load(
        "known_rules",
        pa.Table.from_pylist(
            [dict(zip(schema.names, rule, strict=True)) for rule in sorted(rules)], schema=schema
        ),
    )


def _distinct(files: Iterable[tuple[date, str]], key: str) -> str:
    parts: Iterator[str] = (
        f"select {key}, date '{day.isoformat()}' as charge_date "
        f"from read_parquet({quoted(path)}, hive_partitioning = false)"
        for day, path in files
    )
    return " union ".join(parts)


def _verdict(route: Route, count: int, breaks: list[dict[str, Any]]) -> Verdict:
    reached = count - len({(row["charge_date"], row["attribution_id"]) for row in breaks})
    passed = count > 0 and not breaks
    detail = (
        f"{reached:,} of {count:,} rows reach their inputs by digest, and every digest verifies"
    )
    if breaks:
        detail = (
            f"{reached:,} of {count:,} rows reach their inputs; {breaks[0]['attribution_id']} does "
            f"not reach {breaks[0]['lacks']}. Keep the day's manifest and run the day again."
        )
    return Verdict(
        QUESTION, TITLE, route, passed,
        number=f"{reached} of {count}",
        threshold="all of them",
        detail=detail if count else f"{NO_EVIDENCE}: the slice has no row",
        query=_query(),
        rows=Rows.of(breaks),
        reason="" if passed else BROKEN if breaks else NO_EVIDENCE,
    )  # fmt: skip


def _damaged(route: Route, said: str) -> Verdict:
    return Verdict(
        QUESTION, TITLE, route, False,
        number="not counted",
        threshold="all of them",
        detail=said,
        query=_query(),
        reason=DAMAGED,
    )  # fmt: skip


def _query() -> str:
    hashed = "-- digests: attribution ledger --out F hashes every file and log that rows stand on"
    return f"{hashed}\n{read('lineage')}"
