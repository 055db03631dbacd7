"""Sums: lines to charges, rows and others to charges, requests to rows, rows to totals.

Belongs here: what must add up whatever the weights were. Does not: divisions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from .arithmetic import amount, quanta
from .failure import CONSERVATION, Failed
from .records import COSTS, Day, Packet, Record


def charges(day: Day) -> tuple[int, int]:
    """Lines sum to parts, parts to the charge; the tenant's rows, others' amounts and what is
    unallocated sum to it too. How many charges, how many lines."""
    own = defaultdict(list)
    for row in day.rows:
        own[row["charge_id"]].append(row)
    lines = 0
    for charge_id, charge in day.charges.items():
        where = f"{day.day}: charge {charge_id}"
        for part in charge["parts"]:
            of_part = day.lines_of_part.get(part["part"], [])
            lines += len(of_part)
            _require(of_part, part, f"{where}: the bill's lines of part {part['part']}")
        _require(charge["parts"], charge, f"{where}: its parts")
        shown = [*own.pop(charge_id, []), *charge["others"], *charge["unallocated"]]
        _require(shown, charge, f"{where}: the tenant's rows, others' and what is unallocated")
    for charge_id, rows in own.items():  # rows that lost their charge stay, at zero
        if any(quanta(row[cost]) for row in rows for cost in COSTS):
            raise Failed(CONSERVATION, f"{day.day}: charge {charge_id} of a row is not there")
    return len(day.charges), lines


def requests(day: Day) -> int:
    """Request level sums to the rows that operations are the basis of; how many rows."""
    of_row = defaultdict(list)
    for cost in day.request_costs:
        of_row[cost["attribution_id"]].append(cost)
    by_operations = [row for row in day.rows if row["basis"] == "operations"]
    for row in by_operations:
        found = of_row.pop(row["attribution_id"], [])
        _require(found, row, f"{day.day}: requests of row {row['attribution_id']}")
    if of_row:
        raise Failed(CONSERVATION, f"{day.day}: {min(of_row)} has requests and is no such row")
    return len(by_operations)


def revisions(day: Day) -> int:
    """Each change leads from its old amounts to its new ones, and the last one to the row."""
    rows = {row["attribution_id"]: row for row in day.rows}
    last: dict[str, Record] = {}
    for change in day.revisions:
        where = f"{day.day}: revision {change['revision']} of {change['attribution_id']}"
        if change["attribution_id"] not in rows:
            raise Failed(CONSERVATION, f"{where}: there is no such row")
        before = last.get(change["attribution_id"])
        for cost in COSTS:
            old, new, delta = (quanta(change[f"{word}_{cost}"]) for word in ("old", "new", "delta"))
            if old + delta != new or (before and quanta(before[f"new_{cost}"]) != old):
                raise Failed(CONSERVATION, f"{where}: it does not follow what was before")
        if before and int(change["revision"]) != int(before["revision"]) + 1:
            raise Failed(CONSERVATION, f"{where}: it is not the next one")
        last[change["attribution_id"]] = change
    for row in day.rows:
        change = last.get(row["attribution_id"], {})
        if not change:
            if int(row["revision"]) != 1:
                raise Failed(CONSERVATION, f"{day.day}: revisions of {row['attribution_id']} lack")
            continue
        if any(change[f"new_{cost}"] != row[cost] for cost in COSTS) or (
            change["revision"] != row["revision"]
        ):
            raise Failed(CONSERVATION, f"{day.day}: {row['attribution_id']} is not its last change")
    return len(day.revisions)


def totals(packet: Packet) -> int:
    """Rows are the tenant's, of their day and policy, and sum to the totals that are stated."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    rows = 0
    for day in packet.days:
        for row in day.rows:
            rows += 1
            where = f"{day.day}: row {row['attribution_id']}"
            if row.get("tenant_id") != packet.tenant or row.get("unallocated_reason"):
                raise Failed(CONSERVATION, f"{where} is not the tenant's")
            if row["charge_date"] != day.day:
                raise Failed(CONSERVATION, f"{where} is of another day")
            for cost in COSTS:
                sums[row["billing_currency"]][cost] += quanta(row[cost])
    stated = {total["billing_currency"]: total for total in packet.about["totals"]}
    if set(stated) != set(sums):
        raise Failed(CONSERVATION, "the totals are of other currencies than the rows")
    for currency, found in sums.items():
        for cost in COSTS:
            if quanta(stated[currency][cost]) != found[cost]:
                raise Failed(
                    CONSERVATION,
                    f"rows sum to {currency} {amount(found[cost])} {cost}, "
                    f"the packet says {stated[currency][cost]}",
                )
    return rows


def _require(parts: Iterable[Record], whole: Record, what: str) -> None:
    found = list(parts)
    for cost in COSTS:
        total = sum(quanta(one[cost]) for one in found)
        if total != quanta(whole[cost]):
            raise Failed(
                CONSERVATION,
                f"{what} sum to {amount(total)}, not {whole[cost]} ({cost})",
            )
