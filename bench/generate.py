"""What the bench measures on: days of the made-up company, landed.

Belongs here: writing them and landing them, outside any timing. Does not: the company itself
(``attribution_pipeline.simulator``), larger days from smaller ones (``copies``).

The day has what real days have: agent, tool and server spans around the calls, spans that come
twice, gzip and plain objects, several bills, two clusters. About two in five spans are billed
calls.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

DAY = date(2026, 10, 5)
"""The simulator's first day."""

FAULTS = ("duplicates",)
"""Deduplication is part of the work, so there must be something to deduplicate."""

SEED = 7

MEMORY_LIMIT = "4GB"
"""The engine's limit, as the issues set it and as the deployment file has it by default."""


def company(folder: str, spans: str) -> dict[str, Any]:
    """The company's files, with the engine's limits. ``spans``: as emitted by pods."""
    from attribution_pipeline.simulator import write_company

    told = write_company(Path(folder), days=1, spans_per_day=int(spans), seed=SEED, faults=FAULTS)
    limit(Path(folder))
    return {"spans": told.spans}


def limit(folder: Path) -> None:
    """All cores, and the memory limit, in the deployment file."""
    limits = f"compute: {{threads: {cores()}, memory_limit: {MEMORY_LIMIT}}}\n"
    with (folder / "attribution.yaml").open("a", encoding="utf-8") as config:
        config.write(limits)


def landed(folder: str, spans: str, base: str = "", copies: str = "1") -> dict[str, Any]:
    """A landed day in ``folder``: written and landed, or made of ``copies`` of the day in ``base``.

    Returns spans emitted, spans landed (duplicates included) and landed spans with usage.
    """
    place = Path(folder)
    if base:
        from copies import multiply

        multiply(Path(base), place, int(copies))
        return {"spans": int(spans), **counts(place)}
    told = company(folder, spans)
    house = house_of(place)
    land_all(house)
    return {**told, **counts(place)}


def land_all(house: Any) -> Any:
    """Every source of a deployment landed; its report. Raises SystemExit where one was refused."""
    from attribution_pipeline.sources.landing import land

    report = land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    if report.refused:
        raise SystemExit("\n".join(["the company's own objects were refused:", *report.lines()]))
    return report


def counts(folder: Path) -> dict[str, int]:
    """Of a landed company."""
    import duckdb

    paths = house_of(folder).landed.paths("spans")
    with duckdb.connect() as connection:
        ((rows, metered),) = connection.execute(
            "select count(*), count(*) filter (metered) from read_parquet(?)", [paths]
        ).fetchall()
    return {"landed_spans": rows, "metered_spans": metered}


def house_of(folder: Path) -> Any:
    """The deployment in ``folder``, opened."""
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House

    return House(load_deployment(folder / "attribution.yaml"))


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))
