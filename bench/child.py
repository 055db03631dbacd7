"""One program of the bench, run once, in this process and no other.

Belongs here: what each program is, what is imported before its clock starts, what is read off it.
Does not: which programs are compared, or in which order (``run``). Prints one JSON object.

The clock runs from inputs at rest to outputs at rest: libraries are imported before it starts, for
all programs alike.
"""

from __future__ import annotations

import json
import resource
import runpy
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

DAY = date(2026, 10, 5)
"""The simulator's first day."""

COMMITTED = ("ledger", "operation_costs", "operations", "manifests")

Program = Callable[[], dict[str, Any]]


def day_scan(company: Path, out: Path) -> Program:
    """The floor of the day: every column that it needs, decoded."""
    import duckdb  # noqa: F401
    import scan

    threads = _house(company).deployment.compute.threads
    queries = scan.scan_queries(company / "lake" / "landed")
    return lambda: {"rows": scan.scan_landed(queries, threads=threads)}


def day_ours(company: Path, out: Path) -> Program:
    """Planes, reconciliation and commit, as an asset of the ledger does them."""
    import deltalake  # noqa: F401
    import duckdb  # noqa: F401
    import pandas  # noqa: F401 - Arrow imports it at its first array
    import pyarrow.parquet  # noqa: F401

    from attribution_pipeline.attribution import (  # noqa: F401
        billing,
        cluster,
        operations,
        reconcile,
        reports,
    )
    from attribution_pipeline.orchestration.recording import record_day

    for found in (company / "lake").iterdir():
        if found.name != "landed":
            shutil.rmtree(found)
    house = _house(company)
    house.policies.in_force(DAY)

    def run() -> dict[str, Any]:
        receipt = record_day(house, DAY)
        return {"unchanged": receipt.unchanged}

    return run


def day_pandas(company: Path, out: Path) -> Program:
    """The notebook, top to bottom."""
    import pandas  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import yaml  # noqa: F401

    notebook = Path(__file__).with_name("pandas_notebook.py")
    policy = company / "policies" / "policy-1.yaml"
    arguments = [notebook, company / "lake" / "landed", policy, DAY, out]

    def run() -> dict[str, Any]:
        sys.argv = [str(argument) for argument in arguments]
        runpy.run_path(str(notebook), run_name="__main__")
        return {}

    return run


def landing_scan(company: Path, out: Path) -> Program:
    """The floor of landing: the objects' JSON parsed line by line."""
    import orjson  # noqa: F401
    import scan

    return lambda: {"bytes": scan.parse_lines(company / "spans")}


def landing_ours(company: Path, out: Path) -> Program:
    """The span objects landed in an empty storage."""
    import pandas  # noqa: F401 - Arrow imports it at its first array
    import pyarrow.parquet  # noqa: F401

    from attribution_pipeline.lake.landed import LandedStore
    from attribution_pipeline.sources import otlp  # noqa: F401
    from attribution_pipeline.sources.landing import land

    shutil.rmtree(out, ignore_errors=True)
    house = _house(company)
    spans = [source for source in house.sources if source.kind == "spans"]
    aliases = house.policies.attribute_aliases()
    store = LandedStore(out)

    def run() -> dict[str, Any]:
        report = land(spans, store, keep_attributes=aliases)
        return {"rows": sum(report.rows.values()), "refused": report.refused}

    return run


PROGRAMS = {
    "day.scan": day_scan,
    "day.ours": day_ours,
    "day.pandas": day_pandas,
    "landing.scan": landing_scan,
    "landing.ours": landing_ours,
}


def timed(program: Program) -> dict[str, Any]:
    """Seconds of wall and cpu that ``program`` took, its own answer, and the process's peak RSS."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    answer = program()
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        **answer,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_rss_bytes": after.ru_maxrss * 1024,  # Linux counts it in kibibytes
    }


def compare(company: Path, out: Path) -> dict[str, Any]:
    """Ours and the notebook's: total by charge, by charge and tenant, by charge and operation.

    Both costs, to the quantum. ``differences``: groups on which they disagree; zero, or the
    comparison of their times means nothing. ``bytes_at_rest``: our committed files of the day by
    table, Delta's own log apart.
    """
    import duckdb

    ours = {
        table: sorted((company / "lake" / table).glob("charge_date=*/*.parquet"))
        for table in COMMITTED
    }
    grains = {
        "charge": ("ledger", "charge_id"),
        "charge and tenant": ("ledger", "charge_id, tenant_id"),
        "charge and operation": ("operation_costs", "charge_id, operation_key"),
    }
    counts = {}
    with duckdb.connect() as connection:
        for name, (table, grain) in grains.items():
            sums = (
                f"select {grain}, sum(billed_cost) as b, sum(effective_cost) as e from "
                "read_parquet({}) group by all having b <> 0 or e <> 0"
            )
            mine, theirs = [str(path) for path in ours[table]], [str(out / f"{table}.parquet")]
            a, b = sums.format(mine), sums.format(theirs)
            query = f"select count(*) from (({a} except {b}) union all ({b} except {a}))"
            ((counts[name],),) = connection.execute(query).fetchall()
    stored = {table: sum(p.stat().st_size for p in found) for table, found in ours.items()}
    return {"differences": counts, "bytes_at_rest": stored}


def _house(company: Path) -> Any:
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House

    return House(load_deployment(company / "attribution.yaml"))


def main(arguments: list[str]) -> dict[str, Any]:
    """``PROGRAM COMPANY OUT [...]``: see ``PROGRAMS``, and the two that are not timed."""
    name, company, out, *rest = arguments
    if name == "generate":
        import generate

        spans, threads, memory_limit = rest
        return generate.generate(
            Path(company), spans=int(spans), threads=int(threads), memory_limit=memory_limit
        )
    if name == "compare":
        return compare(Path(company), Path(out))
    return timed(PROGRAMS[name](Path(company), Path(out)))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
