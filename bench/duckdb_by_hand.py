"""One day of AI cost, attributed by hand in DuckDB SQL.

What an engineer who knows DuckDB would write for this one day: the same landed Parquet, the same
policy file, the same exact amounts as the ledger, to the quantum. It is a yardstick of `make bench`.
Everything that grows with spans is SQL; bill lines, pods and sums by tenant are few, and are Python
on the helpers of the notebook (``pandas_inputs``). Spans to calls: ``duckdb_calls``. Left out, as there: superseded deliveries, sampled
spans, volumes, two prices of one node; and what the engine is for: digests, invariants but the
tie-out, envelopes, late paths, a commit.

    python bench/duckdb_by_hand.py LANDED POLICY DAY OUT THREADS MEMORY_LIMIT
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import yaml
from duckdb_calls import PLACE, load, make_ops, part, rounded, write_results
from pandas_inputs import (
    COSTS,
    WHO,
    charges_of_day,
    matches,
    named_by,
    parts_of,
    read,
    share_few,
)

from attribution_pipeline.model.tokens import KINDS  # names of columns

LANDED, POLICY, OUT = Path(sys.argv[1]), yaml.safe_load(Path(sys.argv[2]).read_text()), sys.argv[4]
DAY, THREADS, MEMORY = date.fromisoformat(sys.argv[3]), int(sys.argv[5]), sys.argv[6]
KIND_COSTS = ["cpu_cost", "gpu_cost", "ram_cost"]
ALIASES = POLICY["join"]["tenant_aliases"]

db = duckdb.connect(
    config={"threads": THREADS, "memory_limit": MEMORY, "temp_directory": f"{OUT}/spill"}
)
db.execute("set enable_progress_bar = false")


def rows(query: str) -> list[tuple[Any, ...]]:
    return db.execute(query).fetchall()


# -- spans to calls ----------------------------------------------------------------------------------

make_ops(db, LANDED, POLICY, DAY)
actors: list[tuple[str | None, ...]] = [()] + [
    row[1:] for row in rows(f"select distinct who, {', '.join(WHO)} from ops order by who")
]
number_of = {row: number for number, row in enumerate(actors)}


def who_of(**said: str | None) -> int:
    """The number of an actor; a new one where no call has it."""
    row = tuple(said.get(column) for column in WHO)
    if row not in number_of:
        number_of[row] = len(actors)
        actors.append(row)
    return number_of[row]


NOBODY = who_of()

# -- charges, and where their parts are posted --------------------------------------------------------

portions, taken = charges_of_day(LANDED, POLICY, DAY), defaultdict(list)
for charge in portions:
    taken[charge["rule"]].append(charge)
ledger: list[tuple[Any, ...]] = []


def post(charge, component, leg, who, amounts, reason=None, token_kind=None) -> None:
    """One row of the ledger; a row without tenant says why."""
    if reason is None and actors[who][0] is None:
        reason = "identity_missing"
    costs = (amounts[cost] for cost in COSTS)
    ledger.append((charge["number"], component, leg, who, None, None, token_kind, reason, *costs))


# -- meters: tokens over max(billed, seen), the rest stays open ---------------------------------------

kinds = sorted({charge["token_kind"] for charge in taken["meter"]})
of_kind = " union all ".join(
    f"select op, provider, model, region, '{kind}' as token_kind, "
    f"{' + '.join(f'coalesce({bucket}, 0)' for bucket in KINDS[kind])} as tokens from ops "
    "where ends_today and metered"
    for kind in kinds
)
db.execute(f"create table tokens as select * from ({of_kind}) where tokens > 0")
seen = defaultdict(dict)
for provider, model, kind, region, total in rows(
    "select provider, model, token_kind, region, cast(sum(tokens) as bigint) from tokens group by all"
):
    seen[provider, model, kind][region] = total
slices = defaultdict(list)
for charge in taken["meter"]:
    slices[charge["provider"], charge["model"], charge["token_kind"]].append(charge)
metered, closed = [], {}
for key, charged in slices.items():
    regions = seen[key]
    apart = None not in regions and all(isinstance(c["RegionId"], str) for c in charged)
    for region in sorted({c["RegionId"] for c in charged}) if apart else [None]:
        total = regions.get(region, 0) if apart else sum(regions.values())
        here = [c for c in charged if not apart or c["RegionId"] == region]
        quantities = [
            Decimal(quantity) * charge["tokens_per_unit"][unit]
            for charge in here
            for quantity, unit, correction in charge["lines"][
                ["ConsumedQuantity", "ConsumedUnit", "ChargeClass"]
            ].itertuples(index=False)
            if isinstance(quantity, str) and not isinstance(correction, str)
        ]
        billed = int(sum(quantities, Decimal(0)).to_integral_value())
        for charge in here:
            reason = "no_operation_evidence"
            if total:
                reason = "telemetry_gap" if total < billed else "rounding"
                costs = [charge[cost] for cost in COSTS]
                metered.append((charge["number"], *key, region, max(billed, total), *costs))
            closed[charge["number"]] = (charge, key[2], reason, (None, key[1]))
load(
    db,
    "meters",
    "number integer, provider varchar, model varchar, token_kind varchar, region varchar, "
    "denominator bigint, billed bigint, effective bigint",
    metered,
)


db.execute(f"""
create table parts as
select m.number, 'direct' as component, t.token_kind, t.op, t.tokens as weight,
       {", ".join(f"cast({part(f'm.{c}', 't.tokens', 'm.denominator')} as bigint) as {c}" for c in COSTS)}
from tokens t join meters m on m.provider = t.provider and m.model = t.model
    and m.token_kind = t.token_kind and (m.region is null or m.region = t.region);
drop table tokens""")
given = {
    number: dict(zip(COSTS, found, strict=True))
    for number, *found in rows(
        "select number, cast(sum(billed) as bigint), cast(sum(effective) as bigint) from parts group by 1"
    )
}
for number, (charge, kind, reason, what) in closed.items():
    parts = given.get(number, dict.fromkeys(COSTS, 0))
    left = {cost: charge[cost] - parts[cost] for cost in COSTS}
    costs = (left[cost] for cost in COSTS)
    ledger.append((number, "direct", "open", NOBODY, *what, kind, reason, *costs))

# -- nodes: the charge over kinds, kinds over pods, a pod over what it served or what called from it ----

pods = read(LANDED, "opencost_allocations").query("row_kind != 'idle'")
least = ["row_kind", "controller", "labels", "namespace_labels"]
pods = pods.groupby(["cluster", "node", "namespace", "pod"], dropna=False, as_index=False).agg(
    {**dict.fromkeys(KIND_COSTS, "sum"), **dict.fromkeys(least, "min")}
)
nodes = read(LANDED, "opencost_assets").query("asset_type == 'Node'")
pattern = re.compile(POLICY["nodes"][0]["pattern"])
nodes["resource"] = [pattern.search(text)["id"] for text in nodes["provider_id"]]
nodes = nodes.set_index("resource")
records = pods.to_dict("records")
load(
    db,
    "pods",
    "pod_id integer, cluster varchar, namespace varchar, pod varchar",
    [(n, *(None if pd.isna(p[c]) else p[c] for c in PLACE)) for n, p in enumerate(records)],
)
load(
    db,
    "servers",
    "pod_id integer, address varchar",
    [
        (n, serving["server_address"])
        for serving in POLICY["serving"]
        for n, pod in enumerate(records)
        if matches(serving["workload"], pod)
    ],
)


def on_pods(side: str) -> str:
    same = " and ".join(f"p.{c} = o.{side}_{c}" for c in PLACE)
    return f"select p.pod_id, o.op from ops o join pods p on {same}"


db.execute(f"""
create table served as
{on_pods("serving")} union
select s.pod_id, o.op from ops o join servers s on s.address = o.server_address
where o.serving_pod is null;
create table pod_ops as
select a.pod_id, a.op, o.active_ms as weight
from (select * from served union all
      select * from ({on_pods("caller")}) where pod_id not in (select pod_id from served)) a
join ops o on o.op = a.op where o.active_ms > 0;
drop table served""")
worked = {pod_id for (pod_id,) in rows("select distinct pod_id from pod_ops")}


def tenant_of(pod: dict[str, Any]) -> str | None:
    if any(matches(pattern, pod) for pattern in POLICY["join"]["dedicated"]):
        for labels in (pod["labels"], pod["namespace_labels"]):
            if tenant := json.loads(labels or "{}").get(POLICY["join"]["tenant_label"]):
                return ALIASES.get(tenant, tenant)
    return None


amounts_of_pods, idle, idle_pods = [], [], []
for charge in taken["opencost"]:
    node = nodes.loc[charge["ResourceId"]]
    on_node = pods[(pods["cluster"] == node["cluster"]) & (pods["node"] == node["name"])]
    of_pods = dict.fromkeys(COSTS, 0)
    left = {kind: {} for kind in KIND_COSTS}
    for cost in COSTS:
        by_kind = share_few(charge[cost], {n: node[kind] for n, kind in enumerate(KIND_COSTS)})
        for n, kind in enumerate(KIND_COSTS):
            if node[kind]:
                found = parts_of(by_kind[n], on_node[kind].to_numpy(), int(node[kind]))
                of_pods[cost] = of_pods[cost] + found
                left[kind][cost] = by_kind[n] - int(found.sum())
    for n, pod_id in enumerate(on_node.index):
        pod, amounts = records[pod_id], {cost: int(of_pods[cost][n]) for cost in COSTS}
        if pod_id in worked:
            amounts_of_pods.append((charge["number"], pod_id, *(amounts[cost] for cost in COSTS)))
        elif tenant := tenant_of(pod):
            post(charge, "workload", "own", who_of(tenant_id=tenant), amounts)
        else:
            reason = "unmounted" if pod["row_kind"] == "unmounted" else "no_operation_evidence"
            post(charge, "workload", "open", NOBODY, amounts, reason)
    for kind in KIND_COSTS:
        if left[kind]:
            idle.append((charge, kind, left[kind]))
            for pod_id in on_node.index[on_node[kind] > 0]:
                idle_pods.append((charge["number"], kind, pod_id))
load(
    db,
    "pod_amounts",
    "number integer, pod_id integer, billed bigint, effective bigint",
    amounts_of_pods,
)
load(db, "idle_pods", "number integer, kind varchar, pod_id integer", idle_pods)


db.execute(f"""
insert into parts
select number, 'workload', null, op, cast(sum(weight) as bigint),
       {", ".join(f"cast(sum({c}_part + {c}_more) as bigint)" for c in COSTS)}
from (
    select *, {", ".join(f"{rounded(c)} as {c}_more" for c in COSTS)}
    from (
        select a.number, a.pod_id, a.billed, a.effective, o.op, o.weight,
               {", ".join(f"cast({part(f'a.{c}', 'o.weight', 't.total')} as bigint) as {c}_part" for c in COSTS)},
               {", ".join(f"(abs(a.{c}) % t.total) * o.weight % t.total as {c}_left" for c in COSTS)}
        from pod_amounts a
        join (select pod_id, cast(sum(weight) as bigint) as total from pod_ops group by 1) t using (pod_id)
        join pod_ops o using (pod_id)
    )
)
group by number, op""")
idle_weights = defaultdict(dict)
for number, kind, who, weight in rows("""
    select number, kind, who, cast(sum(active_ms) as bigint)
    from (select distinct i.number, i.kind, p.op from idle_pods i join pod_ops p using (pod_id))
    join ops using (op) group by all"""):
    idle_weights[number, kind][who] = weight

# -- shared by usage, whole, idle, and overhead by cost -----------------------------------------------


def post_shares(charge, component, leg, weights, amounts) -> None:
    """One amount over (who, reason); ties are broken by what the ledger calls the row."""
    keys = {
        key: (named_by([str(DAY), charge["id"], component, leg, *actors[key[0]], None, None, None, key[1]]), *key)
        for key in weights
    }  # fmt: skip
    named = {keys[key]: weight for key, weight in weights.items()}
    parts = {cost: share_few(amounts[cost], named) for cost in COSTS}
    for key in named:
        post(charge, component, leg, key[1], {cost: parts[cost][key] for cost in COSTS}, key[2])


def with_reason(weights: dict[int, int]) -> dict[tuple[int, str | None], int]:
    return {
        (who, "identity_missing" if actors[who][0] is None else None): int(weight)
        for who, weight in weights.items()
    }


usage = read(LANDED, "usage")
usage["tenant_id"] = usage["tenant_id"].replace(ALIASES)
usage["who"] = [
    who_of(**{c: None if pd.isna(v) else v for c, v in zip(WHO, row, strict=True)})
    for row in usage[WHO].itertuples(index=False)
]
usage["quantity"] = usage["quantity"].astype("int64")
for charge in taken["shared"]:
    asked = usage["metric"] == charge["driver"].removeprefix("usage.")
    of_resource = usage["resource_id"].isna() | (usage["resource_id"] == charge["ResourceId"])
    found = usage[asked & of_resource & (usage["service"] == charge["ServiceName"])]
    quantities = with_reason(found.groupby("who")["quantity"].sum().to_dict())
    post_shares(charge, "shared", "own", quantities, charge)
for rule, component, leg, reason in (
    ("tag", "direct", "own", None),
    ("unmatched", "direct", "open", "unmatched_charge"),
    ("unused", "idle", "idle", "unused_commitment"),
    ("purchase", "overhead", "open", "no_driver"),
):
    for charge in taken[rule]:
        who = who_of(tenant_id=charge["tenant"]) if rule == "tag" else NOBODY
        post(charge, component, leg, who, charge, reason)
for charge, kind, left in idle:
    if weights := with_reason(idle_weights[charge["number"], kind]):
        post_shares(charge, "idle", "idle", weights, left)
    else:
        post(charge, "idle", "idle", NOBODY, left, "no_operation_evidence")

db.execute("""
create table sums as
select p.number, p.component, 'own' as leg, o.who, o.operation_name, o.model, p.token_kind,
       case when o.tenant_id is null then 'identity_missing' end as reason,
       cast(sum(p.billed) as bigint) as billed, cast(sum(p.effective) as bigint) as effective
from parts p join ops o using (op) group by all""")
metric = POLICY["settlement"]["metric"].removesuffix("_cost")
base = [
    (number, who, reason, dict(zip(COSTS, costs, strict=True))[metric])
    for number, _, _, who, _, _, _, reason, *costs in [
        *ledger,
        *rows("select * from sums"),
    ]
]
for charge in taken["overhead"]:
    costs: dict[tuple[int, str | None], int] = defaultdict(int)
    for number, who, reason, amount in base:
        of = portions[number]
        if (
            of["BillingAccountId"] == charge["BillingAccountId"]
            and of["ChargeCategory"] == "Usage"
            and not isinstance(of["ChargeClass"], str)
            and reason != "rounding"
        ):
            known = NOBODY if reason else who_of(tenant_id=actors[who][0])
            costs[known, reason] += amount
    positive = {recipient: amount for recipient, amount in costs.items() if amount > 0}
    post_shares(charge, "overhead", "own", positive, charge)

# -- adding up, checking, writing ---------------------------------------------------------------------

FACTS = ["charge_id", "ServiceName", "ServiceCategory", "BillingAccountId", "SubAccountId",
         "ResourceId", "RegionId", "ChargeCategory", "ChargeClass", "BillingCurrency", "rule"]  # fmt: skip
load(
    db,
    "charges",
    f"number integer, {', '.join(f'{name} varchar' for name in FACTS)}, billed bigint, effective bigint",
    [
        (
            c["number"],
            *(None if pd.isna(c[f]) else c[f] for f in FACTS),
            *(c[cost] for cost in COSTS),
        )
        for c in portions
    ],
)
load(
    db,
    "actors",
    f"who integer, {', '.join(f'{name} varchar' for name in WHO)}",
    [(number, *row) for number, row in enumerate(actors) if row],
)
few = pa.table(
    dict(
        zip(
            ["number", "component", "leg", "who", "operation_name", "model", "token_kind", "reason",
             *COSTS],
            [list(column) for column in zip(*ledger, strict=True)],
            strict=True,
        )
    )
)  # fmt: skip
db.register("few", few)
db.execute("create table all_rows as select * from sums union all select * from few")
wrong = rows("""
    select number from charges c left join
        (select number, sum(billed) as b, sum(effective) as e from all_rows group by 1) r using (number)
    where r.b is distinct from c.billed or r.e is distinct from c.effective""")
assert not wrong, f"it does not tie out: {wrong}"

write_results(db, OUT, FACTS)
