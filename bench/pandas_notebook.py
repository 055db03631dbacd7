# %% [markdown]
# # One day of AI cost, attributed by hand
#
# What a careful FinOps analyst would write with pandas: the same landed Parquet, the same policy
# file, the same exact amounts as the ledger, to the quantum. It is the yardstick of `make bench`,
# so it is written to be fast in pandas: integers, whole columns, loops over charges and pods, never
# over operations. Left out, because this day has none of it: superseded deliveries, sampled spans,
# volumes, two prices of one node. Its inputs are prepared in `pandas_inputs`.
#
# Opens as a notebook in any editor that knows `# %%` cells, and runs as a script:
# `python bench/pandas_notebook.py LANDED POLICY DAY OUT`.

# %%
import json
import re
import sys
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pandas_inputs import (
    COSTS,
    IDENTITY,
    PLACE,
    SAID,
    TIMES,
    WHO,
    calls_of_day,
    charges_of_day,
    matches,
    named_by,
    read,
)

from pandas_inputs import parts_of, share, share_few  # isort: skip

from attribution_pipeline.model.tokens import BUCKETS, KINDS  # names of columns

LANDED, POLICY, OUT = Path(sys.argv[1]), yaml.safe_load(Path(sys.argv[2]).read_text()), sys.argv[4]
DAY = date.fromisoformat(sys.argv[3])

# %% [markdown]
# ## Calls, and who caused them

# %%
ops = calls_of_day(LANDED, POLICY, DAY)
# who caused it, and who did what, each as one number
ops["who"] = ops.groupby(WHO, dropna=False, sort=False).ngroup()
WHAT = ["who", "operation_name", "model"]
ops["what"] = ops.groupby(WHAT, dropna=False, sort=False).ngroup()
whats = ops.drop_duplicates("what").set_index("what")[WHAT].T.to_dict("list")
what_of, active_of = ops["what"].to_numpy(), ops["active_ms"].to_numpy()
actors = [
    tuple(None if pd.isna(word) else word for word in row)
    for row in ops.drop_duplicates("who").sort_values("who")[WHO].itertuples(index=False)
]
number_of = {row: number for number, row in enumerate(actors)}


def who_of(**said):
    row = tuple(said.get(column) for column in WHO)
    if row not in number_of:
        number_of[row] = len(actors)
        actors.append(row)
    return number_of[row]


NOBODY = who_of()

# %% [markdown]
# ## Charges by the rule that takes them, and where their parts are posted

# %%
portions, taken = charges_of_day(LANDED, POLICY, DAY), defaultdict(list)
for charge in portions:
    taken[charge["rule"]].append(charge)
facts = pd.DataFrame(portions).drop(columns=["lines", "tags"])
aliases = POLICY["join"]["tenant_aliases"]
ledger, requests = [], []


def post(charge, component, leg, who, amounts, reason=None, what=(None, None, None), driver=None):
    """One row of the ledger; a row without tenant says why."""
    if reason is None and actors[who][0] is None:
        reason = "identity_missing"
    costs = (amounts[cost] for cost in COSTS)
    ledger.append((charge["number"], component, leg, who, *what, reason, driver, *costs))


def post_operations(charge, component, op, weight, parts, token_kind=None):
    """Request level, and its sums by who, operation name and model as ledger rows."""
    rows = pd.DataFrame({"op": op, "weight": weight, **parts})
    requests.append((charge, component, token_kind, rows))
    sums = rows.groupby(what_of[op])[COSTS].sum()
    for number, *amounts in zip(sums.index, *(sums[cost].tolist() for cost in COSTS), strict=True):
        who, name, model = whats[number]
        amounts = dict(zip(COSTS, amounts, strict=True))
        post(charge, component, "own", who, amounts, what=(name, model, token_kind))


# %% [markdown]
# ## Meters: tokens over max(billed, seen), the rest stays open

# %%
calls = ops.loc[ops["ends_today"] & ops["metered"], ["provider", "model", "region", *BUCKETS]]
by_model = dict(list(calls.groupby(["provider", "model"], sort=False)))
slices = defaultdict(list)
for charge in taken["meter"]:
    slices[charge["provider"], charge["model"], charge["token_kind"]].append(charge)
for (provider, model, kind), charged in slices.items():
    seen = by_model.get((provider, model), calls.iloc[:0])
    tokens = sum(seen[bucket].fillna(0) for bucket in KINDS[kind]).astype("int64")
    regions = seen["region"][tokens > 0]
    apart = regions.notna().all() and all(isinstance(c["RegionId"], str) for c in charged)
    for region in sorted({c["RegionId"] for c in charged}) if apart else [None]:
        here = tokens[(tokens > 0) & (seen["region"].eq(region) if apart else True)]
        op, weight, total = here.index.to_numpy(), here.to_numpy(), int(here.sum())
        billed_here = [c for c in charged if not apart or c["RegionId"] == region]
        quantities = [
            Decimal(quantity) * charge["tokens_per_unit"][unit]
            for charge in billed_here
            for quantity, unit, correction in charge["lines"][
                ["ConsumedQuantity", "ConsumedUnit", "ChargeClass"]
            ].itertuples(index=False)
            if isinstance(quantity, str) and not isinstance(correction, str)
        ]
        billed_tokens = int(sum(quantities, Decimal(0)).to_integral_value())
        for charge in billed_here:
            left, reason = charge, "no_operation_evidence"
            if total:
                of = max(billed_tokens, total)
                parts = {cost: parts_of(charge[cost], weight, of) for cost in COSTS}
                post_operations(charge, "direct", op, weight, parts, kind)
                left = {cost: charge[cost] - int(parts[cost].sum()) for cost in COSTS}
                reason = "telemetry_gap" if total < billed_tokens else "rounding"
            post(charge, "direct", "open", NOBODY, left, reason, (None, model, kind))

# %% [markdown]
# ## Nodes: the charge over kinds, kinds over pods, a pod over what it served or what called from it

# %%
KIND_COSTS = ["cpu_cost", "gpu_cost", "ram_cost"]
pods = read(LANDED, "opencost_allocations").query("row_kind != 'idle'")
least = ["row_kind", "controller", "labels", "namespace_labels"]
pods = pods.groupby(["cluster", "node", "namespace", "pod"], dropna=False, as_index=False).agg(
    {**dict.fromkeys(KIND_COSTS, "sum"), **dict.fromkeys(least, "min")}
)
nodes = read(LANDED, "opencost_assets").query("asset_type == 'Node'")
pattern = re.compile(POLICY["nodes"][0]["pattern"])
nodes["resource"] = [pattern.search(text)["id"] for text in nodes["provider_id"]]
nodes = nodes.set_index("resource")
assert nodes.index.is_unique, "a node has two prices"


def on_pods(side):
    columns = [f"{side}_{c}" for c in PLACE]
    known = ops.loc[ops[f"{side}_pod"].notna(), columns].reset_index(names="op")
    numbered = pods[PLACE].set_axis(columns, axis=1).reset_index(names="pod_id")
    return known.merge(numbered)[["pod_id", "op"]]


served = [on_pods("serving")]
for serving in POLICY["serving"]:
    is_server = [matches(serving["workload"], pod) for pod in pods.to_dict("records")]
    to_address = (ops["server_address"] == serving["server_address"]) & ops["serving_pod"].isna()
    to_address = np.flatnonzero(to_address)
    served += [
        pd.DataFrame({"pod_id": pod_id, "op": to_address}) for pod_id in pods.index[is_server]
    ]
served, called = pd.concat(served).drop_duplicates(), on_pods("caller")
pod_ops = pd.concat([served, called[~called["pod_id"].isin(served["pod_id"])]])
pod_ops = pod_ops[active_of[pod_ops["op"]] > 0].sort_values(["pod_id", "op"])
ops_of_pod = {pod_id: op.to_numpy() for pod_id, op in pod_ops.groupby("pod_id")["op"]}


def tenant_of(pod):
    if any(matches(pattern, pod) for pattern in POLICY["join"]["dedicated"]):
        for labels in (pod["labels"], pod["namespace_labels"]):
            if tenant := json.loads(labels or "{}").get(POLICY["join"]["tenant_label"]):
                return aliases.get(tenant, tenant)
    return None


def idle_weights(pod_ids):
    """The distinct operations on these pods: their active time by who."""
    found = [ops_of_pod[pod_id] for pod_id in pod_ids if pod_id in ops_of_pod]
    op = np.unique(np.concatenate(found)) if found else np.array([], dtype="int64")
    return ops["active_ms"].take(op).groupby(ops["who"].take(op)).sum().to_dict()


idle = []
for charge in taken["opencost"]:
    node = nodes.loc[charge["ResourceId"]]
    on_node = pods[(pods["cluster"] == node["cluster"]) & (pods["node"] == node["name"])]
    of_pods = dict.fromkeys(COSTS, 0)
    left = {kind: {} for kind in KIND_COSTS}
    for cost in COSTS:
        by_kind = share_few(charge[cost], {n: node[kind] for n, kind in enumerate(KIND_COSTS)})
        for n, kind in enumerate(KIND_COSTS):
            if node[kind]:
                parts = parts_of(by_kind[n], on_node[kind].to_numpy(), int(node[kind]))
                of_pods[cost] = of_pods[cost] + parts
                left[kind][cost] = by_kind[n] - int(parts.sum())
    split = []
    for n, (pod_id, pod) in enumerate(zip(on_node.index, on_node.to_dict("records"), strict=True)):
        amounts = {cost: int(of_pods[cost][n]) for cost in COSTS}
        if pod_id in ops_of_pod:
            op = ops_of_pod[pod_id]
            weight = active_of[op]
            parts = {cost: share(amounts[cost], weight, op) for cost in COSTS}
            split.append(pd.DataFrame({"op": op, "weight": weight, **parts}))
        elif tenant := tenant_of(pod):
            post(charge, "workload", "own", who_of(tenant_id=tenant), amounts)
        else:
            reason = "unmounted" if pod["row_kind"] == "unmounted" else "no_operation_evidence"
            post(charge, "workload", "open", NOBODY, amounts, reason)
    if split:
        # an operation may have worked on two pods of the node
        once = pd.concat(split).groupby("op", as_index=False).sum()
        post_operations(charge, "workload", once["op"].to_numpy(), once["weight"], once[COSTS])
    idle += [(charge, kind, on_node, left[kind]) for kind in KIND_COSTS if left[kind]]

# %% [markdown]
# ## Shared by usage, whole, idle, and overhead by cost


# %%
def row_id(charge, component, leg, who, reason):
    """What the ledger calls the row: only to break ties as it does."""
    said = [str(DAY), charge["id"], component, leg, *actors[who], None, None, None, reason]
    return named_by(said)


def post_shares(charge, component, leg, weights, amounts, driver):
    """One amount over (who, reason)."""
    keys = {key: (row_id(charge, component, leg, *key), *key) for key in weights}
    named = {keys[key]: weight for key, weight in weights.items()}
    parts = {cost: share_few(amounts[cost], named) for cost in COSTS}
    for key in named:
        of_row = {cost: parts[cost][key] for cost in COSTS}
        post(charge, component, leg, key[1], of_row, key[2], driver=driver)


def with_reason(weights):
    return {
        (who, "identity_missing" if actors[who][0] is None else None): int(weight)
        for who, weight in weights.items()
    }


usage = read(LANDED, "usage")
usage["tenant_id"] = usage["tenant_id"].replace(aliases)
usage["who"] = [
    who_of(**{c: None if pd.isna(v) else v for c, v in zip(WHO, row, strict=True)})
    for row in usage[WHO].itertuples(index=False)
]
usage["quantity"] = usage["quantity"].astype("int64")
for charge in taken["shared"]:
    asked = usage["metric"] == charge["driver"].removeprefix("usage.")
    of_resource = usage["resource_id"].isna() | (usage["resource_id"] == charge["ResourceId"])
    rows = usage[asked & of_resource & (usage["service"] == charge["ServiceName"])]
    quantities = with_reason(rows.groupby("who")["quantity"].sum())
    post_shares(charge, "shared", "own", quantities, charge, charge["driver"])

for rule, component, leg, reason in (
    ("tag", "direct", "own", None),
    ("unmatched", "direct", "open", "unmatched_charge"),
    ("unused", "idle", "idle", "unused_commitment"),
    ("purchase", "overhead", "open", "no_driver"),
):
    for charge in taken[rule]:
        who = who_of(tenant_id=charge["tenant"]) if rule == "tag" else NOBODY
        post(charge, component, leg, who, charge, reason)

for charge, kind, on_node, left in idle:
    if weights := with_reason(idle_weights(on_node.index[on_node[kind] > 0])):
        post_shares(charge, "idle", "idle", weights, left, "active_time")
    else:
        post(charge, "idle", "idle", NOBODY, left, "no_operation_evidence")

KEY = ["component", "leg", "who", "operation_name", "model", "token_kind", "reason"]
metric = POLICY["settlement"]["metric"].removesuffix("_cost")
base = pd.DataFrame(ledger, columns=["number", *KEY, "driver", *COSTS])
base = base.join(facts[["BillingAccountId", "ChargeCategory", "ChargeClass"]], on="number")
base = base[(base["ChargeCategory"] == "Usage") & base["ChargeClass"].isna()]
base["tenant"] = [actors[who][0] for who in base["who"]]
base = base[base["reason"] != "rounding"]
for charge in taken["overhead"]:
    same = base[base["BillingAccountId"] == charge["BillingAccountId"]]
    by_reason = same.groupby("reason")[metric].sum().items()
    by_tenant = same[same["reason"].isna()].groupby("tenant")[metric].sum().items()
    costs = {(NOBODY, reason): int(amount) for reason, amount in by_reason}
    costs |= {(who_of(tenant_id=tenant), None): int(amount) for tenant, amount in by_tenant}
    costs = {recipient: amount for recipient, amount in costs.items() if amount > 0}
    post_shares(charge, "overhead", "own", costs, charge, "cost")

# %% [markdown]
# ## Adding up, checking, writing


# %%
def write(frame, name):
    """Quanta as DECIMAL(38,12): the same integers, named as what they are."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for cost in set(COSTS) & set(frame.columns):
        wide = table[cost].combine_chunks().cast(pa.decimal128(38, 0))
        exact = pa.Array.from_buffers(pa.decimal128(38, 12), len(wide), wide.buffers())
        place = table.schema.get_field_index(cost)
        table = table.set_column(place, f"{cost}_cost", exact)
    pq.write_table(table, f"{OUT}/{name}.parquet", compression="zstd")


rows = pd.DataFrame(ledger, columns=["number", *KEY, "driver", *COSTS])
assert (rows.groupby("number")[COSTS].sum() == facts[COSTS]).all(axis=None), "it does not tie out"
FACTS = ["charge_id", "ServiceName", "ServiceCategory", "BillingAccountId", "SubAccountId",
         "ResourceId", "RegionId", "ChargeCategory", "ChargeClass", "BillingCurrency"]  # fmt: skip
rows = rows.join(facts[[*FACTS, "rule"]], on="number")
rows = rows.join(pd.DataFrame(actors, columns=WHO, dtype="str"), on="who")
unsummed = [c for c in rows.columns if c not in (*COSTS, *KEY, "charge_id", "number")]
amounts = dict.fromkeys(COSTS, "sum") | dict.fromkeys(unsummed, "first")
rows = rows.groupby(["charge_id", *KEY], dropna=False, as_index=False).agg(amounts)
write(rows[(rows["billed"] != 0) | (rows["effective"] != 0)].drop(columns="who"), "ledger")

# tag sets of one charge add up again, operation by operation
detail = defaultdict(list)
for charge, component, token_kind, found in requests:
    found = found[(found["billed"] != 0) | (found["effective"] != 0)]
    detail[charge["id"], component, token_kind].append(found)
labels = ["charge_id", "component", "token_kind"]
detail = [
    (key, pd.concat(found).groupby("op", as_index=False).agg(dict.fromkeys(COSTS, "sum") | {"weight": "max"}) if len(found) > 1 else found[0])
    for key, found in sorted(detail.items(), key=lambda item: str(item[0]))
]  # fmt: skip
detail = pd.concat([f.assign(**dict(zip(labels, key, strict=True))) for key, f in detail])
detail["operation_key"] = ops["key"].take(detail["op"]).array
write(detail[[*labels, "operation_key", "weight", *COSTS]], "operation_costs")
places = [f"{side}_{c}" for side in ("caller", "serving") for c in PLACE]
shown = ["key", *SAID, *TIMES, "active_ms", *BUCKETS, *IDENTITY, *places, "merged"]
write(ops.loc[ops["ends_today"], shown], "operations")
