"""The SQL of proofs, by name. Belongs here: finding a file of ``proof/sql``. Does not: running it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The text of ``proof/sql/<name>.sql``."""
    return (files("attribution_pipeline.proof") / "sql" / f"{name}.sql").read_text(encoding="utf-8")
