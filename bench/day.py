"""The day: from landed Parquet to the committed ledger with request detail, and what it is held against.

Belongs here: the programs, the comparison of what they wrote. Does not: the floors themselves
(``scan``), the hand-written ones (``duckdb_by_hand``, ``pandas_notebook``).
"""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

from child import Program
from generate import DAY, house_of

BY_HAND = {"duckdb": "duckdb_by_hand", "pandas": "pandas_notebook"}

GRAINS = {
    "charge": ("ledger", "charge_id"),
    "charge and tenant": ("ledger", "charge_id, tenant_id"),
    "charge and operation": ("operation_costs", "charge_id, operation_key"),
}


KEY = (
    "case o.named_by when 'response' then coalesce(o.provider, '') || chr(31) || o.response_id "
    "when 'span' then o.trace_id || ':' || o.span_id else o.operation_key end"
)
"""SQL: an operation's key from what ``operations`` stores of it."""


def scan(company: str, out: str) -> Program:
    """The floor of the day: every column that it needs, decoded."""
    import duckdb  # noqa: F401
    import scan as floors

    threads = house_of(Path(company)).deployment.compute.threads
    queries = floors.scan_queries(Path(company) / "lake" / "landed")
    return lambda: {"rows": floors.scan_landed(queries, threads=threads)}


def ours(company: str, out: str) -> Program:
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

    for found in (Path(company) / "lake").iterdir():
        if found.name != "landed":
            shutil.rmtree(found)
    house = house_of(Path(company))
    house.policies.in_force(DAY)

    def run() -> dict[str, Any]:
        return {"unchanged": record_day(house, DAY).unchanged}

    return run


def duckdb(company: str, out: str) -> Program:
    """The hand-written script, top to bottom, within our limits."""
    import duckdb  # noqa: F401

    compute = house_of(Path(company)).deployment.compute
    return _script("duckdb", company, out, str(compute.threads), compute.memory_limit)


def pandas(company: str, out: str) -> Program:
    """The notebook, top to bottom."""
    return _script("pandas", company, out)


def _script(name: str, company: str, out: str, *rest: str) -> Program:
    import pandas  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import yaml  # noqa: F401

    script = Path(__file__).with_name(f"{BY_HAND[name]}.py")
    place = Path(out) / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    landed = Path(company) / "lake" / "landed"
    policy = Path(company) / "policies" / "policy-1.yaml"

    def run() -> dict[str, Any]:
        sys.argv = [str(argument) for argument in (script, landed, policy, DAY, place, *rest)]
        runpy.run_path(str(script), run_name="__main__")
        return {}

    return run


def compare(company: str, out: str, *names: str) -> dict[str, Any]:
    """Ours and what scripts by hand wrote: totals by charge, by charge and tenant, by charge and
    operation, both costs, to the quantum.

    ``differences``: by script and grain, groups on which they disagree; zero, or the comparison of
    times means nothing. ``bytes_at_rest``: the day's committed files by table, Delta's log apart.
    """
    import duckdb

    lake = house_of(Path(company)).lake
    files = {
        table: [lake.store.fetch(entry["path"]) for entry in entries]
        for table, entries in lake.manifest(DAY)["files"].items()
    }
    differences: dict[str, dict[str, int]] = {}
    with duckdb.connect(config={"temp_directory": str(Path(out) / "compare")}) as connection:
        connection.execute("set enable_progress_bar = false")
        for name in names:
            theirs = {
                table: [Path(out) / name / f"{table}.parquet"] for table, _ in GRAINS.values()
            }
            found = differences[name] = {}
            for grain, (table, columns) in GRAINS.items():
                sums = (
                    f"select {columns}, sum(billed_cost) as b, sum(effective_cost) as e from {{}} "
                    "group by all having b <> 0 or e <> 0"
                )
                a = sums.format(_rows(connection, files, table))
                b = sums.format(_rows(connection, theirs, table))
                query = f"select count(*) from (({a} except {b}) union all ({b} except {a}))"
                ((found[grain],),) = connection.execute(query).fetchall()
    stored = {table: sum(path.stat().st_size for path in found) for table, found in files.items()}
    return {"differences": differences, "bytes_at_rest": stored}


def _rows(connection: Any, files: dict[str, list[Path]], table: str) -> str:
    """SQL of a table's rows. Request rows of ours name an operation by its number of the day."""
    source = _source(files, table)
    columns = connection.execute(f"describe select * from {source}").fetchall()
    if "operation_number" not in {row[0] for row in columns}:
        return source
    return (
        f"(select c.* replace (coalesce(c.operation_key, {KEY}) as operation_key) from {source} c "
        f"left join {_source(files, 'operations')} o using (operation_number))"
    )


def _source(files: dict[str, list[Path]], table: str) -> str:
    return f"read_parquet({[str(path) for path in files[table]]}, union_by_name = true)"
