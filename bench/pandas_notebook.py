# %% [markdown]
# # One day of AI cost, attributed by hand
#
# What a careful FinOps analyst would write with pandas: the same landed Parquet, the same policy
# file, the same exact amounts as the ledger, to the quantum. It is the yardstick of `make bench`,
# so it is written to be fast in pandas: integers, whole columns, one loop per *charge*, never one
# per operation. Left out, because this day has none of it: superseded deliveries, sampled spans,
# volumes, two prices of one node. Opens as a notebook in any editor that knows `# %%` cells:
# `python bench/pandas_notebook.py LANDED POLICY DAY OUT`.

# %%
from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

LANDED, POLICY, DAY, OUT = (
    Path(sys.argv[1]), yaml.safe_load(Path(sys.argv[2]).read_text()),
    date.fromisoformat(sys.argv[3]), Path(sys.argv[4]),
)  # fmt: skip

DAY_MS = 86_400_000
START_MS = (DAY - date(1970, 1, 1)).days * DAY_MS
END_MS = START_MS + DAY_MS

WHO = ["tenant_id", "consumer_id", "principal_id", "project", "workflow_id", "task", "feature",
       "agent", "prompt_version", "environment"]  # fmt: skip
INPUT = ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other"]
OUTPUT = ["visible_output", "reasoning"]
KINDS = {
    **{bucket: [bucket] for bucket in INPUT + OUTPUT},
    "input": INPUT,
    "cache_write": INPUT[2:],
    "output": OUTPUT,
}
CHARGE = ["InvoiceIssuerName", "BillingAccountId", "SubAccountId", "BillingPeriodStart",
          "charge_day", "ChargeCategory", "ChargeClass", "BillingCurrency", "ServiceName", "SkuId",
          "SkuPriceId", "ResourceId", "RegionId", "AvailabilityZone", "PricingCategory",
          "CommitmentDiscountId", "CommitmentDiscountStatus", "native_id"]  # fmt: skip
UNIT, NULL = "\x1f", "\x1e"


def read(table: str, columns: list[str] | None = None, where: pc.Expression | None = None):
    """Landed rows of the day and its neighbours as a frame."""
    files = sorted((LANDED / table).rglob("*.parquet"))
    return pq.read_table(files, columns=columns, filters=where, partitioning=None).to_pandas()


# %% [markdown]
# ## Dividing
# Integers of 1e-12, `part = amount x w / D` truncated toward zero, without a product over 64 bits.


# %%
def parts_of(amount: int, weights: np.ndarray, total: int) -> np.ndarray:
    whole, rest = divmod(abs(amount), total)
    return (whole * weights + rest * weights // total) * (1 if amount >= 0 else -1)


def share(amount: int, weights: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Largest remainder: sums to the amount; leftover quanta by remainder, then by tie."""
    total = int(weights.sum())
    parts = parts_of(amount, weights, total)
    left = abs(amount - int(parts.sum()))
    remainders = (abs(amount) % total) * weights % total
    parts[np.lexsort((ties, -remainders))[:left]] += 1 if amount >= 0 else -1
    return parts


def share_few(amount: int, weights: Mapping) -> dict:
    """The same for few recipients with weights of any size; keys break ties."""
    amount, weights = int(amount), {key: int(w) for key, w in weights.items()}  # numpy overflows
    total = sum(weights.values())
    sign = 1 if amount >= 0 else -1
    parts = {key: sign * (abs(amount) * w // total) for key, w in weights.items()}
    left = abs(amount - sum(parts.values()))
    by_remainder = sorted(weights, key=lambda key: (-(abs(amount) * weights[key] % total), key))
    for key in by_remainder[:left]:
        parts[key] += sign
    return parts


def row_id(charge_id: str, component: str, leg: str, who: Sequence, reason: str | None) -> str:
    """What the ledger calls the row: only to break ties as it does."""
    said = [str(DAY), charge_id, component, leg, *who, None, None, None, reason]
    text = UNIT.join(NULL if word is None else word for word in said)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# %% [markdown]
# ## Spans to calls: each span once, twins merged by response id

# %%
TEXT = ["trace_id", "span_id", "scope_name", "scope_version", "cluster", "namespace", "pod",
        "provider", "operation_name", "model", "response_id", "server_address", "region",
        "attributes", "originator_id"]  # fmt: skip
spans = read(
    "spans",
    [*TEXT, "kind", "start_unix_nano", "end_unix_nano", "metered", "attempt", *KINDS["input"],
     *KINDS["output"], *WHO],
    pc.field("is_call")
    & (pc.field("end_unix_nano") >= (START_MS - DAY_MS) * 1_000_000)
    & (pc.field("start_unix_nano") < (END_MS + DAY_MS) * 1_000_000),
)  # fmt: skip

# delivered at least once: of spans that came again the latest end stands
again = spans.duplicated(["trace_id", "span_id"], keep=False)
last = spans[again].sort_values("end_unix_nano", ascending=False, kind="stable")
spans = pd.concat([spans[~again], last.drop_duplicates(["trace_id", "span_id"])])

# the policy's other names of a tenant
for column, names in POLICY["join"]["attributes"].items():
    unnamed = spans[column].isna() & spans["attributes"].notna()
    said = {text: json.loads(text) for text in spans.loc[unnamed, "attributes"].unique()}
    found = {t: next((d[n] for n in names if n in d), None) for t, d in said.items()}
    spans.loc[unnamed, column] = spans.loc[unnamed, "attributes"].map(found)
aliases = POLICY["join"]["tenant_aliases"]
spans["tenant_id"] = spans["tenant_id"].replace(aliases)

own_key = spans["trace_id"] + ":" + spans["span_id"]
spans["key"] = (spans["provider"].fillna("") + UNIT + spans["response_id"]).fillna(own_key)

# best first: with usage, the caller before others before the server, the latest end
twin = spans["key"].duplicated(keep=False)
twins = spans[twin].assign(
    unmetered=~spans["metered"].fillna(False).astype(bool),
    rank=spans["kind"].map({3: 0, 2: 2}).fillna(1),
)
twins = twins.sort_values(
    ["key", "unmetered", "rank", "end_unix_nano", "trace_id", "span_id"],
    ascending=[True, True, True, False, True, True],
)
PLACE = ["cluster", "namespace", "pod"]
TIMES = ["start_unix_nano", "end_unix_nano"]
IDENTITY = [*WHO, "originator_id"]


def first(rows: pd.DataFrame, columns: list[str], prefix: str = "") -> pd.DataFrame:
    return rows.drop_duplicates("key").set_index("key")[columns].add_prefix(prefix)


best = twins.drop_duplicates("key").set_index("key")
named = first(twins[twins["tenant_id"].notna()], IDENTITY)
best.loc[named.index, IDENTITY] = named
best = best.drop(columns=PLACE).join(
    [
        first(twins[twins["kind"] == 2], PLACE + TIMES, "serving_"),
        first(twins[twins["kind"] != 2], PLACE, "caller_"),
        twins[twins["key"].duplicated()].groupby("key")["span_id"].agg(" ".join).rename("merged"),
    ]
)
single = spans[~twin].set_index("key")
server = single["kind"] == 2
single = single.assign(
    **{f"caller_{c}": single[c].mask(server) for c in PLACE},
    **{f"serving_{c}": single[c].where(server) for c in PLACE},
    **{f"serving_{c}": single[c].astype("Int64").where(server) for c in TIMES},
)
best[[f"serving_{c}" for c in TIMES]] = best[[f"serving_{c}" for c in TIMES]].astype("Int64")
ops = pd.concat([single.drop(columns=PLACE), best]).sort_index().reset_index()
del spans, twins, single, best

for column in TIMES:
    ops[f"active_{column}"] = ops[f"serving_{column}"].fillna(ops[column]).astype("int64")
begin, end = (ops[f"active_{column}"] // 1_000_000 for column in TIMES)
ops["ends_today"] = ops["end_unix_nano"].between(START_MS * 10**6, END_MS * 10**6 - 1)
ops["active_ms"] = (np.minimum(end, END_MS) - np.maximum(begin, START_MS)).clip(lower=0)
ops = ops[ops["ends_today"] | ((begin < END_MS) & (end > START_MS))].reset_index(drop=True)

# who caused it, as one number
ops["who"] = ops.groupby(WHO, dropna=False, sort=False).ngroup()
actors: list[tuple] = [
    tuple(None if pd.isna(word) else word for word in row)
    for row in ops.drop_duplicates("who").sort_values("who")[WHO].itertuples(index=False)
]
number_of = {row: number for number, row in enumerate(actors)}


def who_of(**said: str | None) -> int:
    row = tuple(said.get(column) for column in WHO)
    if row not in number_of:
        number_of[row] = len(actors)
        actors.append(row)
    return number_of[row]


NOBODY = who_of()

# %% [markdown]
# ## The bill: what falls on the day, who each charge is, which rule takes it

# %%
bill = read("billing")
begin = bill["ChargePeriodStart"].astype("datetime64[us, UTC]").astype("int64") // 1000
end = bill["ChargePeriodEnd"].astype("datetime64[us, UTC]").astype("int64") // 1000
period_end = bill["BillingPeriodEnd"].astype("datetime64[us, UTC]").astype("int64") // 1000
cut = (end - begin > DAY_MS) & (bill["ChargeFrequency"].str.lower() != "one-time") & (
    bill["ChargeCategory"] != "Purchase"
)  # fmt: skip
today = (begin < END_MS) & ((begin >= START_MS) | (cut & (end > START_MS)))
assert (begin[today] >= START_MS).all(), "this notebook begins with the first day"
for column in ("BilledCost", "EffectiveCost"):
    bill[column] = [int(amount.scaleb(12)) for amount in bill[column]]
for line in bill.index[today & cut]:
    edges = np.arange(begin[line] // DAY_MS * DAY_MS, min(end[line], period_end[line]), DAY_MS)
    per_day = np.minimum(edges + DAY_MS, min(end[line], period_end[line])) - np.maximum(
        edges, begin[line]
    )
    for column in ("BilledCost", "EffectiveCost"):
        by_day = share_few(bill.at[line, column], dict(enumerate(per_day.tolist())))
        bill.at[line, column] = by_day[int((START_MS - edges[0]) // DAY_MS)]
bill = bill[today].reset_index(drop=True)

bill["charge_day"] = str(DAY)
naming = bill[CHARGE].assign(
    BillingPeriodStart=bill["BillingPeriodStart"]
    .astype("datetime64[us, UTC]")
    .astype("int64")
    .astype(str),
    description=bill["ChargeDescription"].where(
        bill[["SkuId", "SkuPriceId", "ResourceId"]].isna().all(axis=1)
    ),
)
bill["charge_id"] = [
    hashlib.sha256(UNIT.join(row).encode()).hexdigest()[:32]
    for row in naming.fillna(NULL).itertuples(index=False)
]


def matches(conditions: Mapping[str, str], row: Mapping) -> bool:
    def said(name: str) -> object:
        return row["tags"].get(name[5:]) if name.startswith("Tags.") else row[name]

    return all(isinstance(v := said(k), str) and fnmatchcase(v, p) for k, p in conditions.items())


def rule_of(row: Mapping) -> dict:
    """Meters, then pools, then the charge's own tag, then what no rule takes."""
    for meter in POLICY["meters"]:
        if matches(meter["match"], row):
            pattern = meter["model"]
            model = re.search(pattern["pattern"], row[pattern["from"]])
            if model:
                return {"kind": "meter", "model": model["model"], **{k: meter[k] for k in ("provider", "token_kind", "tokens_per_unit")}}  # fmt: skip
    for pool in POLICY["pools"]:
        if matches(pool["match"], row):
            kind = "split" if "split" in pool else pool.get("component", "shared")
            return {"kind": kind, "pool": pool}
    tenant = row["tags"].get(POLICY["join"]["tenant_tag"])
    if tenant:
        return {"kind": "tag", "tenant": aliases.get(tenant, tenant)}
    if row["CommitmentDiscountStatus"] == "Unused":
        return {"kind": "unused"}
    return {"kind": "purchase" if row["ChargeCategory"] == "Purchase" else "unmatched"}


bill["Tags"] = bill["Tags"].fillna("")
charges = []
for (_, tags), lines in bill.groupby(["charge_id", "Tags"], sort=True):
    row = {**lines.iloc[0].to_dict(), "tags": json.loads(tags or "{}"), "lines": lines}
    amounts = {
        "billed": int(lines["BilledCost"].sum()),
        "effective": int(lines["EffectiveCost"].sum()),
    }
    charges.append({**row, **amounts, **rule_of(row)})
taken = defaultdict(list)
for charge in charges:
    taken[charge["kind"]].append(charge)

ledger: list[tuple] = []
requests: list[pd.DataFrame] = []


def post(charge: dict, component: str, leg: str, who: int, billed: int, effective: int, *,
         reason: str | None = None, **what: object) -> None:  # fmt: skip
    """One row of the ledger; a row without tenant says why."""
    if reason is None and actors[who][0] is None:
        reason = "identity_missing"
    ledger.append((charge["charge_id"], component, leg, who, what.get("operation"), what.get("model"),
                   what.get("token_kind"), reason, what.get("driver"), billed, effective))  # fmt: skip


def post_operations(charge: dict, component: str, op: np.ndarray, weights: np.ndarray,
                    billed: np.ndarray, effective: np.ndarray, model: str | None = None,
                    token_kind: str | None = None) -> None:  # fmt: skip
    """Request level, and its sums by who, model and operation name as ledger rows."""
    rows = pd.DataFrame({"op": op, "weight": weights, "billed": billed, "effective": effective})
    requests.append(rows[(billed != 0) | (effective != 0)].assign(
        charge_id=charge["charge_id"], component=component, token_kind=token_kind))  # fmt: skip
    rows[["who", "operation_name", "model"]] = (
        ops[["who", "operation_name", "model"]].take(op).to_numpy()
    )
    if model is not None:
        rows["model"] = model
    sums = rows.groupby(["who", "operation_name", "model"], dropna=False)[
        ["billed", "effective"]
    ].sum()
    for (who, operation, of_model), amounts in sums.iterrows():
        post(charge, component, "own", who, amounts["billed"], amounts["effective"],
             operation=operation, model=of_model, token_kind=token_kind)  # fmt: skip


# %% [markdown]
# ## Meters: tokens over max(billed, seen), the rest stays open

# %%
calls = ops[ops["ends_today"] & ops["metered"].fillna(False).astype(bool)]
by_model = dict(list(calls.groupby(["provider", "model"], sort=False)))
slices = defaultdict(list)
for charge in taken["meter"]:
    slices[charge["provider"], charge["model"], charge["token_kind"]].append(charge)
for (provider, model, kind), of_slice in slices.items():
    seen = by_model.get((provider, model), calls.iloc[:0])
    seen = seen.assign(weight=seen[KINDS[kind]].fillna(0).sum(axis=1).astype("int64"))
    seen = seen[seen["weight"] > 0]
    by_region = seen["region"].notna().all() and all(
        isinstance(c["RegionId"], str) for c in of_slice
    )
    for region in sorted({c["RegionId"] for c in of_slice}) if by_region else [None]:
        billed_here = [c for c in of_slice if region is None or c["RegionId"] == region]
        here = seen if region is None else seen[seen["region"] == region]
        quantities = [
            Decimal(line["ConsumedQuantity"]) * charge["tokens_per_unit"][line["ConsumedUnit"]]
            for charge in billed_here
            for line in charge["lines"].to_dict("records")
            if isinstance(line["ConsumedQuantity"], str)
            and not isinstance(line["ChargeClass"], str)
        ]
        tokens = int(sum(quantities).to_integral_value()) if quantities else 0
        weights = here["weight"].to_numpy()
        total = int(weights.sum())
        for charge in billed_here:
            rest = {cost: charge[cost] for cost in ("billed", "effective")}
            if total:
                parts = {cost: parts_of(rest[cost], weights, max(tokens, total)) for cost in rest}
                post_operations(charge, "direct", here.index.to_numpy(), weights, **parts,
                                model=model, token_kind=kind)  # fmt: skip
                rest = {cost: rest[cost] - int(parts[cost].sum()) for cost in rest}
            reason = "telemetry_gap" if total < tokens or not tokens else "rounding"
            post(charge, "direct", "open", NOBODY, **rest, model=model, token_kind=kind,
                 reason=reason if total else "no_operation_evidence")  # fmt: skip

# %% [markdown]
# ## Nodes: the charge over kinds, kinds over pods, a pod over what it served or what called from it

# %%
KIND_COSTS = ["cpu_cost", "gpu_cost", "ram_cost"]
allocations = read("opencost_allocations")
allocations = allocations[allocations["row_kind"] != "idle"]
pods = allocations.groupby(["cluster", "node", "namespace", "pod"], dropna=False).agg(
    {**dict.fromkeys(KIND_COSTS, "sum"), "row_kind": "min", "controller": "min", "labels": "min",
     "namespace_labels": "min"}
).reset_index()  # fmt: skip
assets = read("opencost_assets").query("asset_type == 'Node'")
pattern = re.compile(POLICY["nodes"][0]["pattern"])
assets["resource"] = [pattern.search(text)["id"] for text in assets["provider_id"]]
assert assets["resource"].is_unique, "a node has two prices"

place = pods[PLACE].reset_index(names="pod_id")


def on_pods(side: str, rows: pd.DataFrame) -> pd.DataFrame:
    columns = [f"{side}_{c}" for c in PLACE]
    known = rows.loc[rows[f"{side}_pod"].notna(), columns].reset_index(names="op")
    return known.merge(place, left_on=columns, right_on=PLACE)[["pod_id", "op"]]


unserved = ops[ops["serving_pod"].isna()]
served = [on_pods("serving", ops)]
for serving in POLICY["serving"]:
    workload = serving["workload"]
    of_workload = pods[
        (pods["namespace"] == workload["namespace"])
        & (pods["controller"] == workload["controller"])
    ]
    to_address = unserved.index[unserved["server_address"] == serving["server_address"]]
    served += [pd.DataFrame({"pod_id": pod_id, "op": to_address}) for pod_id in of_workload.index]
served = pd.concat(served).drop_duplicates()
called = on_pods("caller", ops)
pod_ops = pd.concat([served, called[~called["pod_id"].isin(served["pod_id"])]])
pod_ops[["weight", "who"]] = ops[["active_ms", "who"]].take(pod_ops["op"]).to_numpy()
pod_ops = pod_ops[pod_ops["weight"] > 0].sort_values(["pod_id", "op"])
ops_of_pod = {
    pod_id: (g["op"].to_numpy(), g["weight"].to_numpy()) for pod_id, g in pod_ops.groupby("pod_id")
}
pods_of_node = dict(list(pods.groupby(["cluster", "node"])))


def tenant_of(pod: Mapping) -> str | None:
    dedicated = POLICY["join"]["dedicated"]
    if not any(all(fnmatchcase(pod[k], p) for k, p in d.items()) for d in dedicated):
        return None
    for column in ("labels", "namespace_labels"):
        tenant = json.loads(pod[column] or "{}").get(POLICY["join"]["tenant_label"])
        if tenant:
            return aliases.get(tenant, tenant)
    return None


def idle_weights(node_pods: pd.DataFrame, kind: str) -> dict[int, int]:
    """The distinct operations on pods with cost of that kind, their active time by who."""
    with_cost = node_pods.index[node_pods[kind] > 0]
    found = pod_ops[pod_ops["pod_id"].isin(with_cost)].drop_duplicates("op")
    return found.groupby("who")["weight"].sum().to_dict()


idle_of_node: dict = {}
for charge in taken["split"]:
    node = assets[assets["resource"] == charge["ResourceId"]].iloc[0]
    node_pods = pods_of_node[node["cluster"], node["name"]]
    order = dict(enumerate(KIND_COSTS))
    costs = {index: int(node[kind]) for index, kind in order.items()}
    by_kind = {c: share_few(charge[c], costs) for c in ("billed", "effective")}
    of_pods = {}
    for cost, amounts in by_kind.items():
        parts = [parts_of(amounts[i], node_pods[k].to_numpy(), costs[i]) if costs[i] else np.zeros(len(node_pods), "int64")
                 for i, k in order.items()]  # fmt: skip
        of_pods[cost] = dict(zip(node_pods.index, sum(parts).tolist(), strict=True))
        by_kind[cost] = [amounts[i] - int(parts[i].sum()) for i in order]
    split = []
    for pod_id, pod in node_pods.iterrows():
        amounts = {cost: of_pods[cost][pod_id] for cost in of_pods}
        if pod_id in ops_of_pod:
            op, weights = ops_of_pod[pod_id]
            split.append((op, weights, *(share(amounts[cost], weights, op) for cost in amounts)))
        elif tenant := tenant_of(pod):
            post(charge, "workload", "own", who_of(tenant_id=tenant), **amounts)
        else:
            reason = "unmounted" if pod["row_kind"] == "unmounted" else "no_operation_evidence"
            post(charge, "workload", "open", NOBODY, **amounts, reason=reason)
    if split:
        columns = [np.concatenate(column) for column in zip(*split, strict=True)]
        # an operation may have worked on two pods of the node
        once = pd.DataFrame(
            dict(zip(("op", "weight", "billed", "effective"), columns, strict=True))
        )
        once = once.groupby("op", as_index=False).sum()
        post_operations(charge, "workload", *(once[c].to_numpy() for c in once.columns))
    for index, kind in order.items():
        rest = {cost: by_kind[cost][index] for cost in by_kind}
        where = (node["cluster"], node["name"], kind)
        if where not in idle_of_node:
            idle_of_node[where] = idle_weights(node_pods, kind)
        charge.setdefault("idle", []).append((rest, idle_of_node[where]))


# %% [markdown]
# ## Shared by usage, tagged, unmatched, idle, and overhead by cost


# %%
def post_shares(charge: dict, component: str, leg: str, weights: Mapping[tuple[int, str | None], int],
                amounts: Mapping[str, int], driver: str) -> None:  # fmt: skip
    """One amount over (who, reason)."""
    named = {
        (row_id(charge["charge_id"], component, leg, actors[who], reason), who, reason): weight
        for (who, reason), weight in weights.items()
    }
    billed, effective = (share_few(amounts[cost], named) for cost in ("billed", "effective"))
    for key in named:
        post(
            charge,
            component,
            leg,
            key[1],
            billed[key],
            effective[key],
            reason=key[2],
            driver=driver,
        )


def with_reason(who: Iterable[int]) -> dict[int, str | None]:
    return {one: "identity_missing" if actors[one][0] is None else None for one in who}


usage = read("usage")
usage["tenant_id"] = usage["tenant_id"].replace(aliases)
for charge in taken["shared"]:
    metric = charge["pool"]["driver"].removeprefix("usage.")
    rows = usage[(usage["metric"] == metric) & (usage["service"] == charge["ServiceName"])
                 & (usage["resource_id"].isna() | (usage["resource_id"] == charge["ResourceId"]))]  # fmt: skip
    quantities: dict = defaultdict(int)
    for row in rows[[*WHO, "quantity"]].itertuples(index=False):
        who = who_of(**{c: None if pd.isna(v) else v for c, v in zip(WHO, row, strict=False)})
        quantities[who] += int(row.quantity)
    reasons = with_reason(quantities)
    post_shares(charge, "shared", "own", {(w, reasons[w]): q for w, q in quantities.items() if q},
                charge, charge["pool"]["driver"])  # fmt: skip

WHOLE = {
    "tag": ("direct", "own", None),
    "unmatched": ("direct", "open", "unmatched_charge"),
    "unused": ("idle", "idle", "unused_commitment"),
    "purchase": ("overhead", "open", "no_driver"),
}
for kind, (component, leg, reason) in WHOLE.items():
    for charge in taken[kind]:
        who = who_of(tenant_id=charge["tenant"]) if kind == "tag" else NOBODY
        post(charge, component, leg, who, charge["billed"], charge["effective"], reason=reason)

for charge in taken["split"]:
    for rest, weights in charge["idle"]:
        if weights:
            reasons = with_reason(weights)
            post_shares(charge, "idle", "idle", {(w, reasons[w]): int(q) for w, q in weights.items()},
                        rest, "active_time")  # fmt: skip
        else:
            post(charge, "idle", "idle", NOBODY, **rest, reason="no_operation_evidence")

COLUMNS = ["charge_id", "component", "leg", "who", "operation_name", "model", "token_kind", "reason",
           "driver", "billed", "effective"]  # fmt: skip
of_charge = pd.DataFrame(charges).drop_duplicates("charge_id").set_index("charge_id")
tenants = pd.Series([row[0] for row in actors], dtype="str")
base = pd.DataFrame(ledger, columns=COLUMNS).join(
    of_charge[["BillingAccountId", "BillingCurrency", "ChargeCategory", "ChargeClass"]],
    on="charge_id",
)
base = base[
    (base["ChargeCategory"] == "Usage")
    & base["ChargeClass"].isna()
    & (base["reason"].fillna("") != "rounding")
]
base["tenant"] = tenants.take(base["who"]).to_numpy()
metric = POLICY["settlement"]["metric"].removesuffix("_cost")
cost_of: dict = defaultdict(lambda: defaultdict(int))
for account, currency, tenant, reason, amount in base[
    ["BillingAccountId", "BillingCurrency", "tenant", "reason", metric]
].itertuples(index=False):
    known = not isinstance(reason, str)
    cost_of[account, currency][
        who_of(tenant_id=tenant) if known else NOBODY, None if known else reason
    ] += amount
for charge in taken["overhead"]:
    weights = cost_of[charge["BillingAccountId"], charge["BillingCurrency"]]
    positive = {recipient: amount for recipient, amount in weights.items() if amount > 0}
    post_shares(charge, "overhead", "own", positive, charge, "cost")

# %% [markdown]
# ## Adding up, checking, writing

# %%
KEY = [c for c in COLUMNS if c not in ("billed", "effective", "driver")]
rows = pd.DataFrame(ledger, columns=COLUMNS)
rows = rows.groupby(KEY, dropna=False, as_index=False).agg(
    {"driver": "first", "billed": "sum", "effective": "sum"}
)
rows = rows[(rows["billed"] != 0) | (rows["effective"] != 0)]
for cost in ("billed", "effective"):
    difference = rows.groupby("charge_id")[cost].sum().sub(of_charge.index.to_series().map(
        pd.DataFrame(charges).groupby("charge_id")[cost].sum()), fill_value=0)  # fmt: skip
    assert (difference == 0).all(), f"{cost} does not tie out"


def money(frame: pd.DataFrame) -> pa.Table:
    """Quanta as DECIMAL(38,12): the same integers, named as what they are."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for cost in ("billed", "effective"):
        wide = table[cost].combine_chunks().cast(pa.decimal128(38, 0))
        exact = pa.Array.from_buffers(pa.decimal128(38, 12), len(wide), wide.buffers())
        table = table.set_column(table.schema.get_field_index(cost), f"{cost}_cost", exact)
    return table


who_table = pd.DataFrame(actors, columns=WHO, dtype="str")
FACTS = ["ServiceName", "ServiceCategory", "BillingAccountId", "SubAccountId", "ResourceId", "RegionId",
         "ChargeCategory", "ChargeClass", "BillingCurrency", "kind"]  # fmt: skip
rows = rows.join(who_table, on="who").join(of_charge[FACTS], on="charge_id").drop(columns="who")
detail = pd.concat(requests, ignore_index=True)
detail = detail.groupby(
    ["charge_id", "op", "component", "token_kind"], dropna=False, as_index=False
)[["weight", "billed", "effective"]].sum()
detail["operation_key"] = ops["key"].take(detail["op"]).to_numpy()
detail = detail.drop(columns="op").sort_values(
    ["charge_id", "component", "token_kind", "operation_key"]
)
SHOWN = ["key", "trace_id", "span_id", "response_id", *TIMES, "active_ms", "provider", "model",
         "operation_name", *KINDS["input"], *KINDS["output"], "metered", "attempt",
         *(f"{s}_{c}" for s in ("caller", "serving") for c in PLACE), *IDENTITY, "scope_name",
         "scope_version", "merged"]  # fmt: skip
pq.write_table(
    money(rows.sort_values(["charge_id", *KEY[1:3]])), OUT / "ledger.parquet", compression="zstd"
)
pq.write_table(money(detail), OUT / "operation_costs.parquet", compression="zstd")
published = pa.Table.from_pandas(ops.loc[ops["ends_today"], SHOWN], preserve_index=False)
pq.write_table(published, OUT / "operations.parquet", compression="zstd")
