"""Charges that a tenant takes part in, their parts and the bill's lines, as records.

Belongs here: which charges those are, what is shown of each. Does not: how they were divided
(``divisions``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.money import to_text

if TYPE_CHECKING:
    from attribution_pipeline.proof.packet.hiding import Hider
    from attribution_pipeline.proof.packet.trace import Traced

Record = dict[str, Any]

OF_CHARGE = (
    "billing_period", "provider", "service", "billing_account_id", "sub_account_id", "resource_id",
    "region", "charge_category", "charge_class", "billing_currency",
)  # fmt: skip
"""What a ledger row has from its charge."""

MAY_NAME = frozenset((
    "provider", "service", "billing_account_id", "sub_account_id", "resource_id", "region", "team",
    "cost_center", "pool", "policy_id",
))  # fmt: skip
"""Columns of a row or a charge that come from the bill or the policy and may name others. The rest is
the tenant's own, figures, or of a fixed vocabulary."""

FREE_TEXT = (
    "AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName", "AllocatedTags",
    "BillingAccountName", "CapacityReservationId", "ChargeDescription", "CommitmentDiscountName",
    "ContractApplied", "InvoiceDetailId", "PrincipalId", "ResourceId", "ResourceName", "SkuPriceDetails",
    "SubAccountName", "Tags", "native_id", "x_columns",
)  # fmt: skip
"""Columns of a line in which people write what they like."""

AS_THEY_ARE = (
    "BillingCurrency", "CommitmentDiscountQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice",
    "ListUnitPrice", "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice", "PricingUnit", "charge_id", "consumed_quantity", "list_cost",
    "object_id", "pricing_quantity",
)  # fmt: skip
"""Columns of a line that are figures, units or digests."""

OF_ENGINE = ("billed", "effective", "list", "tag_set", "match_key", "outside_range")
"""Columns of ``lines`` that the engine adds for itself."""


def touched(trace: Traced) -> None:
    """Tables ``mine`` (who_id), ``my_portions`` and ``my_charges``: everything that a division gave the
    tenant a part of, be it nothing, and every charge that a recorded row of it is of."""
    db, tenant = trace.db, trace.tenant
    db.execute("create table mine as select who_id from actors where tenant_id = ?", [tenant])
    db.execute(
        """
        create table my_slices as
        select distinct w.slice_id from meter_weights w join ops o on o.op_id = w.op_id
        where o.who_id in (select who_id from mine);
        create table my_portions as
        select portion_id from staged where who_id in (select who_id from mine)
        union
        select portion_id from meter_portions where slice_id in (select slice_id from my_slices);
        """
    )
    db.execute(
        "create table my_charges as select distinct charge_id from portions where portion_id in "
        "(select portion_id from my_portions) union "
        "select p.charge_id from portions p join recorded r on r.charge_id = p.charge_id "
        "where r.tenant_id = ?",
        [tenant],
    )


def charges(trace: Traced, hider: Hider) -> list[Record]:
    """One record per charge: what it is, its parts, and what others and nobody have of it."""
    db = trace.db
    others, unallocated = _shown_apart(trace, hider)
    portions = db.table(
        "select p.*, n.kind, n.meter, n.surface, n.tenant, r.pool as rule_name, "
        "m.portion_id is not null as is_mine from portions p "
        "join assignments n on n.assignment_id = p.assignment_id "
        "join rule_names r on r.assignment_id = p.assignment_id "
        "left join my_portions m on m.portion_id = p.portion_id "
        "where p.charge_id in (select charge_id from my_charges) "
        "order by p.charge_id, p.portion_id"
    ).to_pylist()
    by_charge: dict[str, list[Record]] = defaultdict(list)
    for portion in portions:
        by_charge[portion["charge_id"]].append(portion)
    found = []
    for charge_id, members in by_charge.items():
        said = {name: _least(portion[name] for portion in members) for name in OF_CHARGE}
        said["billing_period"] = said["billing_period"].isoformat()
        found.append({
            "charge_id": charge_id,
            **{
                name: hider.clean(value) if name in MAY_NAME else value
                for name, value in _present(said).items()
            },
            **_costs(sum(p["billed"] for p in members), sum(p["effective"] for p in members)),
            "parts": [_part(portion, hider, trace.tenant) for portion in members],
            "others": others[charge_id],
            "unallocated": unallocated[charge_id],
        })  # fmt: skip
    return found


def _part(portion: Record, hider: Hider, tenant: str) -> Record:
    said = {"part": portion["portion_id"], **_costs(portion["billed"], portion["effective"])}
    if not portion["is_mine"]:
        return said
    return {
        **said,
        **_present({
            "list_cost": to_text(int(portion["list"])),
            "rule": portion["kind"],
            "pool": hider.clean(portion["rule_name"]),
            "meter": portion["meter"] if portion["kind"] == "meter" else None,
            "surface": portion["surface"],
            "tenant": portion["tenant"] if portion["tenant"] == tenant else None,
            "commitment_status": portion["commitment_status"],
        }),
    }  # fmt: skip


def _shown_apart(
    trace: Traced, hider: Hider
) -> tuple[dict[str, list[Record]], dict[str, list[Record]]]:
    """What the recorded rows of others, and those of nobody, sum to, by charge."""
    others: dict[str, list[Record]] = defaultdict(list)
    unallocated: dict[str, list[Record]] = defaultdict(list)
    for charge_id, tenant, reason, billed, effective in trace.db.rows(
        "select charge_id, tenant_id, unallocated_reason, cast(sum(billed_cost) as decimal(38, 12)), "
        "cast(sum(effective_cost) as decimal(38, 12)) from recorded "
        "where charge_id in (select charge_id from my_charges) and tenant_id is distinct from ? "
        "group by all",
        [trace.tenant],
    ):
        amounts = {"billed_cost": f"{billed:f}", "effective_cost": f"{effective:f}"}
        if tenant is not None:
            others[charge_id].append({"id": hider.other(tenant), **amounts})
        else:
            unallocated[charge_id].append({"reason": reason, **amounts})
    for found in others.values():
        found.sort(key=lambda one: str(one["id"]))
    for found in unallocated.values():
        found.sort(key=lambda one: str(one["reason"]))
    return others, unallocated


def lines(trace: Traced, hider: Hider) -> list[Record]:
    """The billing slice: every line of those charges; of parts that others have alone the amounts."""
    columns = [
        name
        for (name,) in trace.db.rows("select column_name from (describe lines)")
        if name not in OF_ENGINE
    ]
    listed = ", ".join(f'l."{name}"' for name in columns)
    rows = trace.db.table(
        f"select p.portion_id as part, m.portion_id is not null as is_mine, {listed} "
        "from lines l join matched k on k.match_key = l.match_key "
        "join portions p on p.charge_id = l.charge_id and p.tag_set = l.tag_set "
        "and p.assignment_id = k.assignment_id "
        "left join my_portions m on m.portion_id = p.portion_id "
        "where l.charge_id in (select charge_id from my_charges) "
        "order by l.charge_id, part, l.object_id, l.position, l.billed_cost"
    ).to_pylist()
    found = []
    for row in rows:
        is_mine = row.pop("is_mine")
        if not is_mine:
            kept = ("part", "charge_id", "billed_cost", "effective_cost")
            row = {**{name: row[name] for name in kept}, "withheld": True}
        found.append(_line(as_json(row), hider))
    return found


def _line(row: Record, hider: Hider) -> Record:
    return {
        name: value
        if name in AS_THEY_ARE
        else hider.clean_free(value)
        if name in FREE_TEXT
        else hider.clean(value)
        for name, value in row.items()
    }


def usage(trace: Traced, hider: Hider) -> list[Record]:
    """The tenant's rows of usage reports."""
    said = ("object_id", "position", "service", "resource_id", "metric", "quantity", *WHO)
    rows = trace.db.table(
        f"select {', '.join(said)} from usage where tenant_id = '{_quoted(trace.tenant)}' order by all"
    )
    return [
        {
            name: value if name in (*WHO, "metric", "quantity") else hider.clean(value)
            for name, value in as_json(row).items()
        }
        for row in rows.to_pylist()
    ]


def as_json(row: Record) -> Record:
    """A row as JSON can say it: no nulls, amounts and whole numbers of any size as text."""
    from datetime import date, datetime
    from decimal import Decimal

    found: Record = {}
    for name, value in row.items():
        match value:
            case None:
                continue
            case Decimal():
                found[name] = f"{value:f}"
            case datetime() | date():
                found[name] = value.isoformat()
            case _:
                found[name] = value
    return found


def line_of(record: Record) -> str:
    """A record as one line of a file."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _costs(billed: int, effective: int) -> Record:
    return {"billed_cost": to_text(int(billed)), "effective_cost": to_text(int(effective))}


def _present(record: Record) -> Record:
    return {name: value for name, value in record.items() if value is not None}


def _least(values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
