"""What a FOCUS export must come to, told from the bill and the ledger alone, in fractions.

Belongs here: the words of docs/focus-export.md, written again without the product's arithmetic. Does
not: the product's code; days and cuts are those of the ledger's own oracle.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from attribution_pipeline_tests.oracle.charges import cut_text, days_of, standing_lines
from attribution_pipeline_tests.oracle.divide import share_in_order
from attribution_pipeline_tests.oracle.words import Evidence, Record, quanta

Row = Mapping[str, Any]

LEDGERS = ("BilledCost", "EffectiveCost")
QUANTITIES = ("PricingQuantity", "ConsumedQuantity", "CommitmentDiscountQuantity")
PRODUCTS = {"ListCost": "ListUnitPrice", "ContractedCost": "ContractedUnitPrice"}
METRICS = (*LEDGERS, *QUANTITIES, *PRODUCTS, "PricingCurrencyEffectiveCost")
SAME = (
    "AvailabilityZone", "BillingAccountId", "BillingCurrency", "BillingPeriodStart",
    "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodStart",
    "ChargePeriodEnd", "InvoiceId", "InvoiceIssuerName", "ServiceCategory", "ServiceName",
)  # fmt: skip
"""Dimensions that a file of every version has."""
UNITS = {"PricingUnit": "PricingQuantity", "ConsumedUnit": "ConsumedQuantity"}


def fraction(value: Any) -> Fraction | None:
    """A number of a file, exactly."""
    return None if value is None else Fraction(value if isinstance(value, Decimal) else str(value))


def is_product(line: Record, cost: str) -> bool:
    """Whether the bill's own line keeps cost = unit price x quantity."""
    values = [line[name] for name in (cost, PRODUCTS[cost], "PricingQuantity")]
    if None in values:
        return False
    whole, price, quantity = map(Fraction, values)
    return whole == price * quantity


def origins(
    evidence: Evidence, day: date, first_day: date
) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Every line that has a slice of the ledger's day, with the metrics of that slice."""
    for line in standing_lines(evidence):
        days = days_of(line)
        time = [part for _, part in days]
        for position, (on, _) in enumerate(days):
            if max(on, first_day) != day:
                continue
            metrics: dict[str, Any] = {
                name: Fraction(share_in_order(quanta(line[name]), time)[position], 10**12)
                for name in LEDGERS
            }
            for name in METRICS[len(LEDGERS) :]:
                metrics[name] = (
                    fraction(line[name]) if len(days) == 1 else cut_text(line[name], time, position)
                )
            for cost, price in PRODUCTS.items():
                if is_product(line, cost):
                    metrics[cost] = Fraction(line[price]) * metrics["PricingQuantity"]
            yield line, metrics


def found_wrong(
    rows: Sequence[Row],
    ledger: Sequence[Row],
    evidence: Evidence,
    day: date,
    first_day: date,
) -> list[str]:
    """What is wrong with an export of one day, in words; empty where nothing is."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["x_OriginId"]].append(row)
    wrong = [*_sums(groups, evidence, day, first_day), *_of_ledger(rows, ledger)]
    lines = {(line["object_id"], line["position"]): line for line in standing_lines(evidence)}
    for group in groups.values():
        line = lines[group[0]["x_SourceObject"], int(group[0]["x_SourcePosition"])]
        wrong += _group(group, line)
    return wrong


def _sums(
    groups: Mapping[str, Sequence[Row]], evidence: Evidence, day: date, first_day: date
) -> Iterator[str]:
    """Every slice of every line is there, once, and its rows sum to it in every metric."""
    expected: Counter[Any] = Counter()
    for line, metrics in origins(evidence, day, first_day):
        expected[line["object_id"], line["position"], *(metrics[name] for name in METRICS)] += 1
    found: Counter[Any] = Counter()
    for group in groups.values():
        key = group[0]["x_SourceObject"], int(group[0]["x_SourcePosition"])
        sums = []
        for name in METRICS:
            values = [fraction(row.get(name)) for row in group]
            some = [value for value in values if value is not None]
            if some and len(some) < len(values):
                yield f"{name} is null in some rows of {key}"
            sums.append(sum(some, Fraction(0)) if some else None)
        found[*key, *sums] += 1
    for key in expected - found:
        yield f"the bill has {key}, the export has not"
    for key in found - expected:
        yield f"the export has {key}, the bill has not"


def _of_ledger(rows: Sequence[Row], ledger: Sequence[Row]) -> Iterator[str]:
    """Every ledger row at a cost is there with all of it, and says who, how sure, by which rule."""
    sums: dict[str, list[Fraction]] = defaultdict(lambda: [Fraction(0), Fraction(0)])
    for row in rows:
        if row["x_AttributionId"] is not None:
            sums[row["x_AttributionId"]][0] += fraction(row["BilledCost"]) or 0
            sums[row["x_AttributionId"]][1] += fraction(row["EffectiveCost"]) or 0
    posted = {
        row["attribution_id"]: [Fraction(row["billed_cost"]), Fraction(row["effective_cost"])]
        for row in ledger
        if row["billed_cost"] or row["effective_cost"]
    }
    if dict(sums) != posted:
        yield f"ledger rows differ: {sorted(set(sums) ^ set(posted))[:3]} or their amounts"
    said = {row["attribution_id"]: row for row in ledger}
    names = {"x_TenantId": "tenant_id", "x_WorkflowId": "workflow_id", "x_Confidence": "confidence",
             "x_UnallocatedReason": "unallocated_reason", "x_PrincipalId": "principal_id",
             "x_PolicyDigest": "policy_digest", "x_ChargeId": "charge_id",
             "x_Settlement": "settlement"}  # fmt: skip
    for row in rows:
        if row["x_AttributionId"] is None:
            if (row["x_Confidence"], row["x_UnallocatedReason"]) != ("unallocated", "no_cost"):
                yield f"an undivided line says {row['x_Confidence']}, {row['x_UnallocatedReason']}"
            continue
        for ours, theirs in names.items():
            if row[ours] != said[row["x_AttributionId"]][theirs]:
                yield f"{ours} is {row[ours]} in {row['x_AttributionId']}"


def _group(group: Sequence[Row], line: Record) -> Iterator[str]:
    """The rows of one line's slice: dimensions, products, grids, ratios."""
    for row in group:
        for name in SAME:
            if row[name] != line[name]:
                yield f"{name} is {row[name]!r}, the line's is {line[name]!r}"
        if row.get("Tags") != line["Tags"]:
            yield f"Tags are {row.get('Tags')!r}, the line's are {line['Tags']!r}"
        for unit, quantity in UNITS.items():
            if row.get(unit) != (line[unit] if line[quantity] is not None else None):
                yield f"{unit} is {row.get(unit)!r} beside {quantity} {line[quantity]!r}"
        for cost, price in PRODUCTS.items():
            if is_product(line, cost) and fraction(row[cost]) != (
                Fraction(line[price]) * (fraction(row["PricingQuantity"]) or 0)
            ):
                yield f"{cost} {row[cost]} is not {line[price]} x {row['PricingQuantity']}"
        for name in QUANTITIES:
            part, raw = fraction(row.get(name)), line[name]
            if part is not None and raw is not None and len(days_of(line)) == 1:
                exponent = Decimal(raw).as_tuple().exponent
                assert isinstance(exponent, int)
                if (part * 10 ** max(9, -exponent)).denominator != 1:
                    yield f"{name} {part} is finer than 1e-9 and than {raw}"
    yield from _split(group)


def _split(group: Sequence[Row]) -> Iterator[str]:
    methods = {row["AllocatedMethodId"] for row in group}
    if len(group) > 1 and (len(methods) != 1 or None in methods):
        yield f"methods of one line: {methods}"
    if methods == {None}:
        if any(row[name] is not None for row in group for name in _SPLIT):
            yield "an undivided line has Allocated columns"
        return
    resources = [row["AllocatedResourceId"] for row in group]
    if None in resources or len(set(resources)) < len(resources):
        yield f"allocated resources of one line: {resources}"
    details = [row["AllocatedMethodDetails"] for row in group]
    if None in details:
        if details != [None] * len(details) or group[0]["x_SplitOriginId"] is not None:
            yield "some rows of one line have ratios"
        return
    shares = [json.loads(text, parse_float=Fraction, parse_int=Fraction) for text in details]
    ratios = [share["Elements"][0]["AllocatedRatio"] for share in shares]
    if sum(ratios) != 1 or min(ratios) < 0:
        yield f"ratios {ratios}"
    if {row["x_SplitOriginId"] for row in group} != {group[0]["x_OriginId"]}:
        yield "the split origin is not the origin"
    billed = sum((fraction(row["BilledCost"]) or Fraction(0)) for row in group)
    if {fraction(row["x_SplitOriginCost"]) for row in group} != {billed}:
        yield f"x_SplitOriginCost is not {billed}"
    for name in QUANTITIES:
        whole = sum((fraction(row.get(name)) or Fraction(0)) for row in group)
        for row, ratio in zip(group, ratios, strict=True):
            part = fraction(row.get(name))
            if part is not None and abs(part - whole * ratio) > _NEAR * (1 + abs(whole)):
                yield f"{name} {part} is not {ratio} of {whole}"


_SPLIT = ("AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName",
          "AllocatedTags", "x_SplitOriginId", "x_SplitOriginCost")  # fmt: skip
_NEAR = Fraction(1, 10**9)
"""Largest remainder moves a part by less than a quantum; a ratio is itself rounded at 1e-12."""
