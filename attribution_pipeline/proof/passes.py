"""The SQL of proofs, by name. Belongs here: finding a file of ``proof/sql``. Does not: running it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def sql(name: str, package: str = "") -> str:
    """The text of ``proof/<package>/sql/<name>.sql``; without a package of ``proof/sql``."""
    folder = files("attribution_pipeline.proof").joinpath(package) / "sql"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")
