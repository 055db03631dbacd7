"""The calls of a day by hand in DuckDB SQL, and the arithmetic: the first half of ``duckdb_by_hand``.

Landed spans to operations: each span once, twins merged by response id, the day's part of each. And
the formulas of division as SQL text. What it is all for: ``duckdb_by_hand``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from pandas_inputs import COSTS, DAY_MS, WHO, bounds_of

from attribution_pipeline.model.tokens import BUCKETS  # names of columns

PLACE = ["cluster", "namespace", "pod"]
SAID = (
    "trace_id, span_id, response_id, provider, model, operation_name, region, server_address, "
    "scope_name, scope_version, metered, attempt, start_unix_nano, end_unix_nano, "
    + ", ".join(BUCKETS)
)


def load(
    db: duckdb.DuckDBPyConnection, name: str, columns: str, values: list[tuple[Any, ...]]
) -> None:
    """A few rows of Python as a table."""
    db.execute(f"create table {name} ({columns})")
    if values:
        marks = ", ".join("?" * len(values[0]))
        db.executemany(f"insert into {name} values ({marks})", values)


def part(cost: str, weight: str, total: str) -> str:
    """``cost x weight / total`` truncated toward zero, without a product over 64 bits."""
    a = f"abs({cost})"
    return f"sign({cost}) * (({a} // {total}) * {weight} + ({a} % {total}) * {weight} // {total})"


def rounded(cost: str) -> str:
    """The largest remainder's quantum: as many as are missing, by remainder, then by key."""
    return (
        f"case when row_number() over (partition by number, pod_id order by {cost}_left desc, op) "
        f"<= abs({cost}) - sum(abs({cost}_part)) over (partition by number, pod_id) "
        f"then sign({cost}) else 0 end"
    )


def exact(cost: str) -> str:
    """Quanta as DECIMAL(38,12), the same integers. Whole and rest apart: a product of wide decimals
    would lose digits."""
    return (
        f"cast(cast({cost} as bigint) // 1000000000000 as decimal(38, 12)) + "
        f"cast(cast(cast({cost} as bigint) % 1000000000000 as decimal(13, 0)) "
        "* cast('0.000000000001' as decimal(12, 12)) as decimal(38, 12))"
    )


def make_ops(
    db: duckdb.DuckDBPyConnection, landed: Path, policy: dict[str, Any], day: date
) -> None:
    """Table ``ops``: one row a billed call that ends on the day or is active on it, numbered by key."""
    start_ms, end_ms = bounds_of(day)
    spans = [str(path) for path in sorted((landed / "spans").rglob("*.parquet"))]
    told = {
        column: "coalesce({})".format(
            ", ".join(
                [column, *(f"json_extract_string(attributes, '$.\"{one}\"')" for one in others)]
            )
        )
        for column, others in policy["join"]["attributes"].items()
    }
    said = ", ".join(
        f"{told.get(column, column)} as {column}" for column in [*WHO, "originator_id"]
    )
    alias = " ".join(
        f"when '{other}' then '{name}'" for other, name in policy["join"]["tenant_aliases"].items()
    )
    named = f"case tenant_id {alias} else tenant_id end" if alias else "tenant_id"
    db.execute(f"""
    create table spans as
    select *, coalesce(coalesce(provider, '') || chr(31) || response_id, trace_id || ':' || span_id) as key,
           case kind when 3 then 0 when 2 then 2 else 1 end as rank
    from (
        select * replace ({named} as tenant_id) from (
            select trace_id, span_id, response_id, provider, model, operation_name, region,
                   server_address, scope_name, scope_version, coalesce(metered, false) as metered, attempt,
                   {", ".join(PLACE)}, start_unix_nano, end_unix_nano, {", ".join(BUCKETS)}, kind, {said}
            from read_parquet({spans}, hive_partitioning = false)
            where is_call and end_unix_nano >= {(start_ms - DAY_MS) * 10**6}
              and start_unix_nano < {(end_ms + DAY_MS) * 10**6}
            qualify row_number() over (partition by trace_id, span_id order by end_unix_nano desc) = 1
        )
    )""")
    words = (
        f"struct_pack({', '.join(f'{column} := {column}' for column in [*WHO, 'originator_id'])})"
    )
    order = "metered desc, rank, end_unix_nano desc, trace_id, span_id"
    db.execute(f"""
    create table merged as
    with twins as (
        select s.*, row_number() over (partition by key order by {order}) as place
        from spans s where key in (select key from spans group by key having count(*) > 1)
    ),
    of_key as (
        select key,
               arg_min({words}, place) filter (tenant_id is not null) as named,
               arg_min(struct_pack(cluster := cluster, namespace := namespace, pod := pod,
                   s := start_unix_nano, e := end_unix_nano), place) filter (kind = 2) as server,
               arg_min(struct_pack(cluster := cluster, namespace := namespace, pod := pod), place)
                   filter (kind is distinct from 2) as client,
               string_agg(span_id, ' ' order by span_id) filter (place > 1) as merged
        from twins group by key
    )
    select t.key, {", ".join(f"t.{name.strip()}" for name in SAID.split(","))},
           {", ".join(f"case when named is null then t.{c} else named.{c} end as {c}" for c in [*WHO, "originator_id"])},
           {", ".join(f"client.{c} as caller_{c}" for c in PLACE)},
           {", ".join(f"server.{c} as serving_{c}" for c in PLACE)},
           coalesce(server.s, t.start_unix_nano) as active_s, coalesce(server.e, t.end_unix_nano) as active_e,
           merged
    from twins t join of_key using (key) where place = 1
    union all
    select key, {SAID}, {", ".join([*WHO, "originator_id"])},
           {", ".join(f"case when kind is distinct from 2 then {c} end" for c in PLACE)},
           {", ".join(f"case when kind = 2 then {c} end" for c in PLACE)},
           start_unix_nano, end_unix_nano, null
    from spans where key not in (select key from twins);
    drop table spans""")
    db.execute(f"""
    create table ops as
    select row_number() over (order by key) as op, dense_rank() over (order by {", ".join(WHO)}) as who, *
    from (
        select *, end_unix_nano >= {start_ms * 10**6} and end_unix_nano < {end_ms * 10**6} as ends_today,
               greatest(least(active_e // 1000000, {end_ms}) - greatest(active_s // 1000000, {start_ms}), 0)
                   as active_ms
        from merged
    )
    where ends_today or (active_s // 1000000 < {end_ms} and active_e // 1000000 > {start_ms});
    drop table merged""")


def write_results(db: duckdb.DuckDBPyConnection, out: str, facts_named: list[str]) -> None:
    """Tables ``all_rows``, ``parts`` and ``ops`` as the three files that are compared."""

    def write(query: str, name: str) -> None:
        db.execute(f"copy ({query}) to '{out}/{name}.parquet' (format parquet, compression zstd)")

    facts = ", ".join(
        f"any_value(c.{name}) as {name}" for name in facts_named if name != "charge_id"
    )
    write(
        f"""
    select c.charge_id, r.component, r.leg, {", ".join(f"a.{name}" for name in WHO)}, r.operation_name,
           r.model, r.token_kind, r.reason, {facts},
           {", ".join(f"{exact(f'sum(r.{c})')} as {c}_cost" for c in COSTS)}
    from all_rows r join charges c using (number) join actors a using (who)
    group by c.charge_id, r.component, r.leg, {", ".join(f"a.{name}" for name in WHO)}, r.operation_name,
             r.model, r.token_kind, r.reason
    having sum(r.billed) <> 0 or sum(r.effective) <> 0
    order by all""",
        "ledger",
    )
    write(
        f"""
    select d.charge_id, d.component, d.token_kind, o.key as operation_key, d.weight,
           {", ".join(f"{exact(f'd.{c}')} as {c}_cost" for c in COSTS)}
    from (
        select c.charge_id, p.component, p.token_kind, p.op, max(p.weight) as weight,
               sum(p.billed) as billed, sum(p.effective) as effective
        from parts p join charges c using (number)
        where p.billed <> 0 or p.effective <> 0 group by all
    ) d join ops o using (op)
    order by d.charge_id, d.component, d.token_kind, d.op""",
        "operation_costs",
    )
    write(
        f"""
    select key, {SAID}, active_ms, {", ".join([*WHO, "originator_id"])}, {", ".join(f"caller_{c}, serving_{c}" for c in PLACE)}, merged
    from ops where ends_today order by op""",
        "operations",
    )
