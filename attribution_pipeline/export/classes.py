"""Which lines of a charge which of its rows are of.

Belongs here: telling a charge's parts apart that different rules took. Does not: dividing (``parts``).

The ledger has rows by charge, and a charge may have lines that different rules took: two tag sets that
name two tenants, say. The rule of a line is found again from the day's own frozen policy, that of a
row stands on it. Where lines and rows of one rule do not sum to the same (one row may be of several
rules, a closed period may hold back what moved), they are taken together with the others of the charge
of which that is true: what is exact never depends on it, only how fine the shares are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.matching import Assignment, assign, columns_read
from attribution_pipeline.model.errors import Broken

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy

Record = Mapping[str, Any]
Key = tuple[str | None, ...]
Costs = tuple[int, int]

WHOLE = ("outside", "unused", "purchase", "unmatched")
"""Rules that leave a charge whole, with the principal that the bill names."""

SEVERAL = "several rules"
"""How the rule of lines is called that could not be told apart."""


@dataclass
class Class:
    """Lines, by number, and the rows that divide them, by number; ``rule``: what took them."""

    rule: str
    lines: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


class Rules:
    """The rule of a line under one policy; lines alike are looked at once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.columns = columns_read(policy)
        self._found: dict[tuple[Any, ...], Assignment] = {}

    def of_line(self, line: Record) -> tuple[Key, str]:
        """What tells the line's rule from others', and the rule's name."""
        seen = (line["outside_range"], *(line[name] for name in self.columns))
        found = self._found.get(seen)
        if found is None:
            found = assign(line, self._policy, outside_range=line["outside_range"])
            self._found[seen] = found
        if found.kind == "tag":
            return ("tag", found.tenant, line["PrincipalId"]), "tag"
        if found.kind == "meter":
            return ("meter",), "meter"
        if found.pool >= 0:
            name = self._policy.pools[found.pool].name
            return ("pool", name), name
        return ("pool", found.kind, line["PrincipalId"]), found.kind


def of_row(row: Record) -> Key:
    """What a ledger row says of the rule that it is of, as ``Rules.of_line`` does."""
    pool = row["pool"]
    if row["basis"] == "tag":
        return ("tag", row["tenant_id"], row["principal_id"])
    if pool is None:
        return ("meter",)
    return ("pool", pool, row["principal_id"]) if pool in WHOLE else ("pool", pool)


def classes(
    lines: Sequence[tuple[Key, str, Costs]], rows: Sequence[tuple[Key, Costs]], charge: str
) -> list[Class]:
    """The classes of a charge, each with lines and rows of the same sums. Lines without rows (they sum
    to zero) are a class, too. Raises Broken where the charge's rows do not sum to its lines."""
    if _sums(costs for _, _, costs in lines) != _sums(costs for _, costs in rows):
        raise Broken(
            f"charge {charge}: its rows sum to {_sums(costs for _, costs in rows)} quanta (billed, "
            f"effective), its lines to {_sums(costs for _, _, costs in lines)}"
        )
    found: dict[Key, Class] = {}
    for number, (key, rule, _) in enumerate(lines):
        found.setdefault(key, Class(rule)).lines.append(number)
    for number, (key, _) in enumerate(rows):
        found.setdefault(key, Class(SEVERAL)).rows.append(number)
    if len(found) == 1:
        return list(found.values())
    alone, together = [], Class(SEVERAL)
    for one in found.values():
        if one.lines and _sums(lines[n][2] for n in one.lines) == _sums(
            rows[n][1] for n in one.rows
        ):
            alone.append(one)
        else:
            together.lines += one.lines
            together.rows += one.rows
    if together.rows and not together.lines:
        # rows that cancel out, on no line of their own: they go over all lines
        return [Class(SEVERAL, list(range(len(lines))), list(range(len(rows))))]
    together.lines.sort()
    together.rows.sort()
    return [*alone, together] if together.lines else alone


def _sums(costs: Any) -> Costs:
    billed = effective = 0
    for one in costs:
        billed += one[0]
        effective += one[1]
    return billed, effective
