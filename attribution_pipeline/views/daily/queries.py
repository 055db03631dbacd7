"""The SQL that makes each roll-up, with its keys in it.

Belongs here: files and what is formatted into them. Does not: running it (``making``), the digest of it
(``basis``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from attribution_pipeline.model.tokens import BUCKETS

SQL = Path(__file__).parent / "sql"


@cache
def query(table: str) -> str:
    """A select of the table's keys and measures, over the relations that its file names."""
    from attribution_pipeline.model.daily import KEYS, OUTCOME_WHO

    keys = KEYS[table]
    return (SQL / f"{table}.sql").read_text(encoding="utf-8").format(
        keys=", ".join(keys),
        placed_keys=", ".join(f"p.{key}" for key in keys),
        buckets=",\n    ".join(f"cast(sum(p.{name}) as bigint) as {name}" for name in BUCKETS),
        who=", ".join(OUTCOME_WHO),
        outcome_who=", ".join(f"o.{name}" for name in OUTCOME_WHO),
        result_who=", ".join(f"r.{name}" for name in OUTCOME_WHO),
        who_known_first=", ".join(f"r.{name} nulls last" for name in OUTCOME_WHO),
    )  # fmt: skip
