# %% [markdown]
# # One day of AI cost: its inputs, by hand
#
# Landed spans to billed calls, landed bill lines to charges with the rule that takes each. Used by
# `pandas_notebook`, which says what all this is for.

# %%
import hashlib
import json
import re
from datetime import date
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from attribution_pipeline.model import ledger as names  # of columns; every formula is below
from attribution_pipeline.model.tokens import BUCKETS

DAY_MS = 86_400_000
UNIT, NULL = "\x1f", "\x1e"
COSTS = ["billed", "effective"]
WHO = list(names.WHO)


def read(landed, table, columns=None, where=None):
    files = sorted((landed / table).rglob("*.parquet"))
    return pq.read_table(files, columns=columns, filters=where, partitioning=None).to_pandas()


def bounds_of(day):
    start_ms = (day - date(1970, 1, 1)).days * DAY_MS
    return start_ms, start_ms + DAY_MS


def named_by(words):
    """The ledger's name of what these words identify."""
    text = UNIT.join(NULL if pd.isna(word) else str(word) for word in words)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# %% [markdown]
# ## Dividing
# Integers of 1e-12, `part = amount x w / D` truncated toward zero, without a product over 64 bits.


# %%
def parts_of(amount, weights, total):
    whole, rest = divmod(abs(amount), total)
    return (whole * weights + rest * weights // total) * (1 if amount >= 0 else -1)


def share(amount, weights, ties):
    """Largest remainder: sums to the amount; leftover quanta by remainder, then by tie."""
    total = int(weights.sum())
    parts = parts_of(amount, weights, total)
    left = abs(amount - int(parts.sum()))
    remainders = (abs(amount) % total) * weights % total
    parts[np.lexsort((ties, -remainders))[:left]] += 1 if amount >= 0 else -1
    return parts


def share_few(amount, weights):
    """The same for few recipients with weights of any size; keys break ties."""
    amount, weights = int(amount), {key: int(w) for key, w in weights.items()}  # numpy overflows
    total, sign = sum(weights.values()), 1 if amount >= 0 else -1
    parts = {key: sign * (abs(amount) * w // total) for key, w in weights.items()}
    left = abs(amount - sum(parts.values()))
    for key in sorted(weights, key=lambda k: (-(abs(amount) * weights[k] % total), k))[:left]:
        parts[key] += sign
    return parts


# %% [markdown]
# ## Spans to calls: each span once, twins merged by response id

# %%
PLACE, TIMES = ["cluster", "namespace", "pod"], ["start_unix_nano", "end_unix_nano"]
IDENTITY = [*WHO, "originator_id"]
SAID = ["trace_id", "span_id", "response_id", "provider", "model", "operation_name", "region",
        "server_address", "scope_name", "scope_version", "metered", "attempt"]  # fmt: skip


def first(rows, columns, prefix=""):
    return rows.drop_duplicates("key").set_index("key")[columns].add_prefix(prefix)


def calls_of_day(landed, policy, day):
    """One row a billed call that ends on the day or is active on it, sorted by its key."""
    start_ms, end_ms = bounds_of(day)
    around = (
        pc.field("is_call")
        & (pc.field("end_unix_nano") >= (start_ms - DAY_MS) * 1_000_000)
        & (pc.field("start_unix_nano") < (end_ms + DAY_MS) * 1_000_000)
    )
    columns = [*SAID, *PLACE, *TIMES, *BUCKETS, *IDENTITY, "kind", "attributes"]
    spans = read(landed, "spans", columns, around)

    # delivered at least once: of spans that came again the latest end stands
    again = spans.duplicated(["trace_id", "span_id"], keep=False)
    last = spans[again].sort_values("end_unix_nano", ascending=False, kind="stable")
    surplus = last.index[last.duplicated(["trace_id", "span_id"])]
    spans = spans.drop(index=surplus)

    # the policy's other names of a tenant
    for column, others in policy["join"]["attributes"].items():
        unnamed = spans[column].isna() & spans["attributes"].notna()
        said = {text: json.loads(text) for text in spans.loc[unnamed, "attributes"].unique()}
        found = {t: next((d[n] for n in others if n in d), None) for t, d in said.items()}
        spans.loc[unnamed, column] = spans.loc[unnamed, "attributes"].map(found)
    spans["tenant_id"] = spans["tenant_id"].replace(policy["join"]["tenant_aliases"])
    spans["metered"] = spans["metered"].fillna(False).astype(bool)
    by_response = spans["provider"].fillna("") + UNIT + spans["response_id"]
    spans["key"] = by_response.fillna(spans["trace_id"] + ":" + spans["span_id"])

    # of twins the best speaks: with usage, the caller before others before the server, the latest end
    twin = spans["key"].duplicated(keep=False)
    twins = spans[twin].assign(rank=spans["kind"].map({3: 0, 2: 2}).fillna(1))
    twins = twins.sort_values(
        ["key", "metered", "rank", "end_unix_nano", "trace_id", "span_id"],
        ascending=[True, False, True, False, True, True],
    )

    best = first(twins, [*SAID, *TIMES, *BUCKETS, *IDENTITY])
    named = first(twins[twins["tenant_id"].notna()], IDENTITY)
    best.loc[named.index, IDENTITY] = named
    server = twins["kind"] == 2
    exact = dict.fromkeys(TIMES, "Int64")  # a missing value would make floats of nanoseconds
    rest = twins.loc[twins["key"].duplicated(), ["key", "span_id"]].sort_values(["key", "span_id"])
    best = best.join([
        first(twins[server].astype(exact), PLACE + TIMES, "serving_"),
        first(twins[~server], PLACE, "caller_"),
        rest.groupby("key", sort=False)["span_id"].agg(" ".join).rename("merged"),
    ])  # fmt: skip
    single = spans[~twin]
    server = single["kind"] == 2
    single = single[["key", *SAID, *TIMES, *BUCKETS, *IDENTITY]].assign(
        **{f"caller_{c}": single[c].mask(server) for c in PLACE},
        **{f"serving_{c}": single[c].where(server) for c in PLACE},
    )
    ops = pd.concat([single, best.reset_index()]).sort_values("key", ignore_index=True)
    for column in TIMES:
        ops[f"active_{column}"] = ops[f"serving_{column}"].fillna(ops[column]).astype("int64")
    begin, end = (ops[f"active_{column}"] // 1_000_000 for column in TIMES)
    ops["ends_today"] = ops["end_unix_nano"].between(start_ms * 10**6, end_ms * 10**6 - 1)
    ops["active_ms"] = (np.minimum(end, end_ms) - np.maximum(begin, start_ms)).clip(lower=0)
    return ops[ops["ends_today"] | ((begin < end_ms) & (end > start_ms))].reset_index(drop=True)


# %% [markdown]
# ## The bill: what falls on the day, who each charge is, which rule takes it

# %%
INSTANTS = ["ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodStart", "BillingPeriodEnd"]
NAMING = ["InvoiceIssuerName", "BillingAccountId", "SubAccountId", "BillingPeriodStart",
          "charge_day", "ChargeCategory", "ChargeClass", "BillingCurrency", "ServiceName", "SkuId",
          "SkuPriceId", "ResourceId", "RegionId", "AvailabilityZone", "PricingCategory",
          "CommitmentDiscountId", "CommitmentDiscountStatus", "native_id", "description"]  # fmt: skip


def lines_of_day(landed, day):
    """One row a bill line of the day, long ones cut; amounts as integers of 1e-12."""
    start_ms, end_ms = bounds_of(day)
    bill = read(landed, "billing")
    bill = bill.rename(columns={"BilledCost": "billed", "EffectiveCost": "effective"})
    bill[INSTANTS] = bill[INSTANTS].astype("datetime64[us, UTC]").astype("int64")
    begin, end, period_end = (bill[INSTANTS[i]] // 1000 for i in (0, 1, 3))
    one_time = bill["ChargeFrequency"].str.lower() == "one-time"
    cut = (end - begin > DAY_MS) & ~one_time & (bill["ChargeCategory"] != "Purchase")
    today = (begin < end_ms) & ((begin >= start_ms) | (cut & (end > start_ms)))
    assert (begin[today] >= start_ms).all(), "this notebook begins with the first day"
    for cost in COSTS:
        bill[cost] = [int(amount.scaleb(12)) for amount in bill[cost]]
        for line in bill.index[today & cut]:
            last = min(end[line], period_end[line])
            edges = [begin[line], *range(start_ms + DAY_MS, last, DAY_MS), last]
            by_day = share_few(bill.at[line, cost], dict(enumerate(np.diff(edges).tolist())))
            assert begin[line] == start_ms, "a cut charge begins on the day"
            bill.at[line, cost] = by_day[0]
    bill = bill[today].assign(charge_day=str(day), Tags=bill["Tags"].fillna(""))
    unnamed = bill[["SkuId", "SkuPriceId", "ResourceId"]].isna().all(axis=1)
    bill["description"] = bill["ChargeDescription"].where(unnamed)
    bill["charge_id"] = [named_by(row) for row in bill[NAMING].itertuples(index=False)]
    return bill


def matches(conditions, row):
    def said(name):
        return row["tags"].get(name[5:]) if name.startswith("Tags.") else row[name]

    return all(isinstance(v := said(k), str) and fnmatchcase(v, p) for k, p in conditions.items())


def rule_of(row, policy):
    """Meters, then pools, then the charge's own tag, then what no rule takes."""
    for meter in policy["meters"]:
        model = meter["model"]
        if matches(meter["match"], row) and (m := re.search(model["pattern"], row[model["from"]])):
            return {**meter, "rule": "meter", "model": m["model"]}
    for pool in policy["pools"]:
        if matches(pool["match"], row):
            return {**pool, "rule": pool.get("split", pool.get("component", "shared"))}
    if tenant := row["tags"].get(policy["join"]["tenant_tag"]):
        return {"rule": "tag", "tenant": policy["join"]["tenant_aliases"].get(tenant, tenant)}
    if row["CommitmentDiscountStatus"] == "Unused":
        return {"rule": "unused"}
    return {"rule": "purchase" if row["ChargeCategory"] == "Purchase" else "unmatched"}


def charges_of_day(landed, policy, day):
    """One dict a charge and tag set, with its amounts, its lines and what its rule says."""
    bill = lines_of_day(landed, day)
    portions = []
    for (charge_id, tags), lines in bill.groupby(["charge_id", "Tags"]):
        row = {**lines.iloc[0].to_dict(), "tags": json.loads(tags or "{}"), "lines": lines}
        row |= {"id": charge_id, "number": len(portions)}
        row |= {cost: int(lines[cost].sum()) for cost in COSTS}
        portions.append(row | rule_of(row, policy))
    return portions
