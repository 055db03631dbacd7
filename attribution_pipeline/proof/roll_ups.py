"""What the normalization gate found: pairs of roll-ups, and the groups in which they differ.

Belongs here: reading the sums of a gate, and how they are said. Does not: which roll-ups are compared
(``normalization``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline.proof.passes import sql

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

COSTS = ("billed_cost", "effective_cost")


@dataclass(frozen=True)
class Line:
    """One pair, one currency, one cost. ``difference`` = coarser - finer - named lines."""

    pair: str
    currency: str
    cost: str
    finer: Decimal
    named: Mapping[str, Decimal]
    coarser: Decimal
    difference: Decimal

    def text(self) -> str:
        """For people."""
        named = "".join(f", {name} {amount:f}" for name, amount in self.named.items() if amount)
        return (
            f"{self.pair}, {self.cost} {self.currency}: {self.finer:f}{named} against "
            f"{self.coarser:f}, difference {self.difference:f}"
        )


@dataclass(frozen=True)
class Apart:
    """A group in which a pair does not agree. Costs: coarser - finer - named lines."""

    pair: str
    tenant: str | None
    service: str | None
    currency: str
    billed_cost: Decimal
    effective_cost: Decimal

    def text(self) -> str:
        """For people."""
        who = f" {self.tenant}" if self.tenant else ""
        return (
            f"{self.pair}:{who} {self.service or 'no service'} differs by billed "
            f"{self.billed_cost:f}, effective {self.effective_cost:f} {self.currency}"
        )


@dataclass(frozen=True)
class Gate:
    """What the gate found. ``subject``: a day (2026-10-05) or a month (2026-10)."""

    subject: str
    lines: Sequence[Line]
    apart: Sequence[Apart]
    groups: int
    facts: Mapping[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every pair agrees in every group."""
        return not self.apart

    def line(self) -> str:
        """The gate on one line."""
        if not self.passed:
            return f"{self.subject}  roll-ups disagree: {self.description()}"
        return f"{self.subject}  roll-ups agree: {self.description()}"

    def description(self) -> str:
        """What was compared, or the first group that differs."""
        if not self.passed:
            return f"{len(self.apart)} of {self.groups} groups differ, first {self.apart[0].text()}"
        pairs = len({line.pair for line in self.lines})
        counted = [f"{self.groups} groups of {pairs} pairs"]
        counted += [f"{name} {count:,}" for name, count in self.facts.items()]
        named = {name for line in self.lines for name, amount in line.named.items() if amount}
        beside = f"; named apart: {', '.join(sorted(named))}" if named else ""
        return ", ".join(counted) + beside


def gate_of(db: Session, subject: str, facts: Mapping[str, int]) -> Gate:
    """What ``sums`` says (see ``sql/normalization``)."""
    groups = db.rows(sql("normalization/groups"))
    apart = [
        Apart(pair, tenant, service, currency or "", billed, effective)
        for pair, tenant, service, currency, billed, effective in groups
        if billed or effective
    ]
    return Gate(subject, _lines(db.rows(sql("normalization/lines"))), apart, len(groups), facts)


def _lines(rows: Iterable[tuple[Any, ...]]) -> list[Line]:
    found: dict[tuple[str, str, str], dict[str, dict[str, int]]] = {}
    for pair, currency, side, name, *amounts in rows:
        for cost, amount in zip(COSTS, amounts, strict=True):
            sides = found.setdefault((pair, currency or "", cost), {})
            sides.setdefault(side, {})[name] = to_quanta(amount)[0]
    lines = []
    for (pair, currency, cost), sides in sorted(found.items()):
        finer, named, coarser = (sides.get(side, {}) for side in ("finer", "named", "coarser"))
        whole, parts = sum(coarser.values()), sum(finer.values())
        lines.append(
            Line(
                pair,
                currency,
                cost,
                to_decimal(parts),
                {name: to_decimal(amount) for name, amount in sorted(named.items())},
                to_decimal(whole),
                to_decimal(whole - parts - sum(named.values())),
            )
        )
    return lines
