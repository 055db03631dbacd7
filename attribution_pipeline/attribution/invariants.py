"""The ledger's invariants, asked of rows: where they are written and again where they are read.

Belongs here: running ``sql/checks`` over tables or committed files. Does not: what to do about a
breach (the engine stops; the asset check alerts).
"""

from __future__ import annotations

from collections.abc import Sequence

from attribution_pipeline.attribution.day import Compute, Finding
from attribution_pipeline.attribution.engine import Session, session, sql_text

CHECKS = ("conservation", "node_tie_back", "identity")


def breaches(db: Session) -> list[Finding]:
    """Breaches among tables ``charge_lines``, ``ledger``, ``operation_costs``, ``ended_operations``
    and ``held_back`` of ``db``."""
    return [
        Finding(invariant, "error", subject, detail)
        for check in CHECKS
        for invariant, subject, detail in db.rows(sql_text(f"checks/{check}"))
    ]


def breaches_of_files(
    *,
    charges: Sequence[str],
    ledger: Sequence[str],
    operation_costs: Sequence[str],
    operations: Sequence[str],
    variances: Sequence[str],
    compute: Compute,
) -> list[Finding]:
    """The same over Parquet files of one day, as they were committed."""
    with session(compute) as db:
        db.view("charge_lines", charges)
        db.view("ledger", ledger)
        db.view("operation_costs", operation_costs, by_name=True)
        db.view("ended_operations", operations)
        if variances:
            db.view("held_back", variances)
        else:
            db.execute("create view held_back as select charge_id from ledger where false")
        return breaches(db)
