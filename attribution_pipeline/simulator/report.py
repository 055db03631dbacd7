"""What a company that was written holds, in figures.

Belongs here: the report. Does not: how anything in it is counted (``write``).
"""

from __future__ import annotations

from dataclasses import dataclass

BESIDE = (
    "beside these days: an older run of an export, and a subscription's later days, not yet due"
)
"""Why landing reads more rows, and a run ties out more, than happened on the days."""


@dataclass
class Report:
    """What was written. Amounts in USD as text."""

    directory: str
    first_day: str
    last_day: str
    faults: list[str]
    spans: int = 0
    calls: int = 0
    deliveries: int = 0
    """Spans as delivered: without the lost ones, with the duplicates."""
    objects: int = 0
    span_bytes: int = 0
    bill_rows: int = 0
    pods: int = 0
    pods_of_three_tenants: int = 0
    """The fewest of any day that serve three tenants or more."""
    billed: str = "0"
    effective: str = "0"

    def lines(self) -> list[str]:
        """What a person wants to know of it."""
        return [
            f"wrote {self.directory}: {self.first_day} to {self.last_day}",
            f"  spans      {self.spans:,} ({self.calls:,} billed or served calls), "
            f"{self.objects:,} objects, {self.span_bytes / 1e6:,.1f} MB",
            f"  pods       {self.pods}, of which {self.pods_of_three_tenants} or more a day serve "
            "three tenants or more",
            f"  bill       {self.bill_rows:,} rows, billed {self.billed} USD, "
            f"effective {self.effective} USD",
            f"             {BESIDE}",
            f"  faults     {', '.join(self.faults) or 'none'}",
            "  truth      truth/costs: what caused each cost; truth/bounds: how exactly it can be known",
        ]
