# %% [markdown]
# # AI cost by tenant, as teams do it by hand
#
# FOCUS rows grouped by day, service and resource; OpenCost's allocation as shares of the node's
# bill; a token log by tenant and day from the spans; merged in pandas; what nothing explains spread
# by token share; cents at the end. A careful version: spans that came twice are dropped, only CLIENT
# spans count (agents and servers repeat them), the newest delivery of a bill stands, a yearly or
# monthly charge is spread over its days, idle stands apart. It believes what spans say.
#
# `python bench/peers/by_hand.py COMPANY OUT.parquet`; opens as a notebook where `# %%` cells do.

# %%
import sys
from decimal import Decimal
from pathlib import Path

import evidence
import pandas as pd

COMPANY, OUT = Path(sys.argv[1]), Path(sys.argv[2])
COSTS = list(evidence.COSTS)
WHO = ["tenant", "workflow"]

# %% [markdown]
# ## The token log

# %%
calls = [
    {
        **{name: span[name] for name in ("day", "namespace", "controller", *WHO)},
        "model": span["said"].get("gen_ai.response.model"),
        "address": span["said"].get("server.address", ""),
        "input": int(span["said"].get("gen_ai.usage.input_tokens", 0)),
        "output": int(span["said"].get("gen_ai.usage.output_tokens", 0)),
    }
    for span in evidence.spans(COMPANY)
    if span["kind"] == 3 and "gen_ai.usage.input_tokens" in span["said"]
]
log = pd.DataFrame(calls)
log["total"] = log["input"] + log["output"]
KINDS = ["input", "output", "total"]
by_day = log.groupby(["day", *WHO], as_index=False)[KINDS].sum()
by_model = log.groupby(["day", "model", *WHO], as_index=False)[KINDS].sum()
by_workload = log.groupby(["day", "namespace", "controller", *WHO], as_index=False)[KINDS].sum()

# %% [markdown]
# ## The bill

# %%
rows = pd.DataFrame([
    {
        "day": line["day"], "service": line["ServiceName"], "resource": line["ResourceId"],
        "category": line["ChargeCategory"], "tag": line["Tags"].get("tenant"),
        "cluster": line["Tags"].get("eks-cluster"), "meter": line["SkuMeter"] or "",
        **{cost: line[cost] for cost in COSTS},
    }
    for line in evidence.bill(COMPANY)
])  # fmt: skip
KEY = ["day", "service", "resource", "category", "tag", "cluster", "meter"]
bill = rows.groupby(KEY, dropna=False, as_index=False)[COSTS].sum()
models = sorted(log["model"].dropna().unique(), key=len, reverse=True)
bill["model"] = [next((m for m in models if m in meter), None) for meter in bill["meter"]]
bill["kind"] = ["output" if "utp" in meter else "input" for meter in bill["meter"]]
# "Outp" and "output"; everything else that names a model is input of some sort

ledger = []


def post(lines, component, confidence):
    for line in lines.to_dict("records"):
        amounts = [Decimal(str(round(line[cost], 2))) for cost in COSTS]
        resource = line["resource"] if isinstance(line["resource"], str) else None
        who = [line.get(name) if isinstance(line.get(name), str) else None for name in WHO]
        if any(amounts):
            ledger.append(
                evidence.row(line["day"], line["service"], resource, *who, component, *amounts,
                             confidence)
            )  # fmt: skip


def spread(charges, shares, on, weight):
    """Charges over whoever has a weight; a charge that meets none is left as it is."""
    shares = shares[shares[weight] > 0]
    total = shares.groupby(on, as_index=False)[weight].sum().rename(columns={weight: "all"})
    merged = charges.merge(total, on=on, how="left")
    left = merged[merged["all"].isna()]
    merged = merged.dropna(subset=["all"]).merge(shares, on=on)
    for cost in COSTS:
        merged[cost] = merged[cost] * merged[weight] / merged["all"]
    return merged, left


# %% [markdown]
# ## Models: each charge by its tokens

# %%
ai = bill[bill["model"].notna()]
for kind in ("input", "output"):
    parts, left = spread(ai[ai["kind"] == kind], by_model, ["day", "model"], kind)
    post(parts, "direct", "metered")
    post(left, "direct", "metered")

# %% [markdown]
# ## Nodes: OpenCost's shares of the bill

# %%
pods = pd.DataFrame([
    {
        "day": day, "node": row["properties"]["node"],
        "namespace": row["properties"].get("namespace"),
        "controller": row["properties"].get("controller"),
        "label": (row["properties"].get("labels") or {}).get("tenant"),
        "idle": "__idle__" in row["name"], "cost": row["totalCost"],
    }
    for day, row in evidence.opencost(COMPANY, "allocation")
])  # fmt: skip
names = {}
for _, asset in evidence.opencost(COMPANY, "assets"):
    names[asset["properties"]["name"]] = evidence.resource_of(asset["properties"]["providerID"])
pods["resource"] = pods["node"].map(names)
ON_NODE = ["day", "resource", "namespace", "controller", "label", "idle"]
pods = pods.groupby(ON_NODE, dropna=False, as_index=False)["cost"].sum()
pods["share"] = pods["cost"] / pods.groupby(["day", "resource"])["cost"].transform("sum")
nodes = bill[bill["cluster"].notna() & bill["model"].isna()]
on_pods = nodes.merge(pods, on=["day", "resource"], how="left")
unknown = on_pods[on_pods["share"].isna()]
on_pods = on_pods.dropna(subset=["share"])
for cost in COSTS:
    on_pods[cost] *= on_pods["share"]
labelled = on_pods[on_pods["label"].notna() & ~on_pods["idle"]]
post(labelled.assign(tenant=labelled["label"]), "workload", "allocated")
shared = on_pods[on_pods["label"].isna() & ~on_pods["idle"]]
# a model server's work is what was called at its address, which its workload is named after
servers = [
    log[log["address"].str.startswith(name)].assign(namespace="inference", controller=controller)
    for controller in pods.loc[pods["namespace"] == "inference", "controller"].unique()
    for name in (controller, controller.partition("-")[2])
]
served = pd.concat(servers).groupby(["day", "namespace", "controller", *WHO], as_index=False)
work = pd.concat([by_workload, served[KINDS].sum()])
parts, left = spread(shared, work, ["day", "namespace", "controller"], "total")
post(parts, "workload", "allocated")
idle, _ = spread(on_pods[on_pods["idle"]], by_day, ["day"], "total")
post(idle, "idle", "allocated")

# %% [markdown]
# ## What is tagged, and what is left: by token share

# %%
tagged = bill["tag"].notna() & bill["model"].isna() & bill["cluster"].isna()
post(bill[tagged].assign(tenant=bill["tag"]), "direct", "allocated")
rest = bill[bill["tag"].isna() & bill["model"].isna() & bill["cluster"].isna()]
for component, found in (
    ("overhead", rest[rest["category"].isin(["Tax", "Credit", "Purchase"])]),
    ("shared", rest[rest["category"] == "Usage"]),
    ("workload", left),
    ("workload", unknown),
):
    parts, nobody = spread(found[[*KEY, *COSTS]], by_day, ["day"], "total")
    post(parts, component, "allocated")
    post(nobody, component, "allocated")

evidence.write(ledger, OUT)
