"""What `make bench` measures on: one day of the made-up company, landed.

Belongs here: writing it and landing it, both outside any timing. Does not: the company itself
(``attribution_pipeline.simulator``).

The day has what real days have: agent, tool and server spans around the calls, spans that come
twice, gzip and plain objects, several bills, two clusters. About two in five spans are billed
calls.
"""

from __future__ import annotations

from pathlib import Path

FAULTS = ("duplicates",)
"""Deduplication is part of the work, so there must be something to deduplicate."""

SEED = 7


def generate(folder: Path, *, spans: int, threads: int, memory_limit: str) -> dict[str, int]:
    """The company in ``folder``, landed under its storage. ``spans``: as emitted by pods.

    Returns spans emitted, spans landed (duplicates included) and landed spans with usage.
    """
    import duckdb

    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.simulator import write_company
    from attribution_pipeline.sources.landing import land

    told = write_company(folder, days=1, spans_per_day=spans, seed=SEED, faults=FAULTS)
    limits = f"compute: {{threads: {threads}, memory_limit: {memory_limit}}}\n"
    with (folder / "attribution.yaml").open("a", encoding="utf-8") as config:
        config.write(limits)
    house = House(load_deployment(folder / "attribution.yaml"))
    report = land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    if report.refused:
        raise SystemExit("\n".join(["the company's own objects were refused:", *report.lines()]))
    with duckdb.connect() as connection:
        ((landed, metered),) = connection.execute(
            "select count(*), count(*) filter (metered) from read_parquet(?)",
            [house.landed.paths("spans")],
        ).fetchall()
    return {"spans": told.spans, "landed_spans": landed, "metered_spans": metered}
