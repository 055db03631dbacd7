"""The register of OpenCost's known faults beside what a day shows of them, a line for each.

Belongs here: grouping findings by entry, and their table. Does not: the gates
(``attribution.opencost_gates``), where findings are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from attribution_pipeline.attribution.opencost_gates.register import REGISTER, Item, item_of
from attribution_pipeline.views.text_table import text_table

COLUMNS = ("item", "gate", "result", "found", "worst", "issues", "what_happens", "what_to_do")

TOTALS_COLUMNS = ("tenant", "recorded", "filled", "empty", "currency")
"""Of ``attribution.opencost_gates.what_if``."""

VARIANCE_COLUMNS = (
    "cluster", "node_type", "currency", "nodes", "opencost", "billed_cost", "effective_cost",
    "list_cost", "opencost_over_bill", "opencost_over_list", "quarantined",
)  # fmt: skip
"""Of ``attribution.opencost_gates.bill.by_type``."""

NAMES = ("tenant", "cluster", "node_type", "currency")
"""Columns of these that are no numbers."""

NOTICED, SILENT, DESIGN = "noticed", "passed", "by design"


@dataclass(frozen=True)
class Gate:
    """One entry of the register and the findings that show it, errors first."""

    item: Item
    findings: Sequence[Mapping[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether nothing of it shows."""
        return not self.findings

    @property
    def is_error(self) -> bool:
        """Whether it put money aside."""
        return any(found["severity"] == "error" for found in self.findings)


def gates(findings: Iterable[Mapping[str, Any]]) -> list[Gate]:
    """Every entry of the register, in its order. ``findings``: check, severity, subject, detail;
    those on anything but OpenCost are nobody's here."""
    of: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for found in findings:
        item = item_of(found["check"])
        if item is not None:
            of[item.number].append(found)
    return [
        Gate(item, sorted(of[item.number], key=lambda found: found["severity"] != "error"))
        for item in REGISTER
    ]


def lines(found: Sequence[Gate]) -> list[dict[str, Any]]:
    """Rows under ``COLUMNS``; what to do only where there is something to do."""
    return [
        {
            "item": gate.item.number,
            "gate": gate.item.name,
            "result": NOTICED if gate.findings else DESIGN if gate.item.held_by else SILENT,
            "found": len(gate.findings),
            "worst": f"{gate.findings[0]['subject']}: {gate.findings[0]['detail']}"
            if gate.findings
            else gate.item.question,
            "issues": ", ".join(gate.item.issues),
            "what_happens": gate.item.effect if gate.findings else None,
            "what_to_do": gate.item.remedy if gate.findings else None,
        }
        for gate in found
    ]


def register_table(found: Sequence[Gate]) -> str:
    """The register as plain text: entry, result, count, and the worst subject or the question."""
    shown = ("item", "gate", "result", "found", "worst")
    return plain(lines(found), shown, right=("item", "found"))


def plain(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, right: Sequence[str] = ()
) -> str:
    """Rows under these columns as plain text; what is null says nothing."""
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    return text_table(columns, cells, right=right)


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return "" if value is None else str(value)
