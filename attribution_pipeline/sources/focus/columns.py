"""Column names: which column of a file is which FOCUS column, and which are missing.

Belongs here: matching names, what a file must have to be a bill at all. Does not: values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attribution_pipeline.model.evidence import FOCUS_INSTANT_COLUMNS, FOCUS_TEXT_COLUMNS
from attribution_pipeline.sources.rejection import ObjectRefused

COSTS = ("BilledCost", "EffectiveCost")

FOCUS_COLUMNS = (*COSTS, *FOCUS_INSTANT_COLUMNS, *FOCUS_TEXT_COLUMNS)

MANDATORY = (
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "EffectiveCost",
    "ServiceName",
)
"""Mandatory in every FOCUS version from 1.0 on, and needed to put a charge anywhere. Exports omit
other mandatory columns (the 1.0 sample misnames one); such a file can still be tied out."""

ISSUERS = ("InvoiceIssuerName", "ProviderName", "ServiceProviderName")
"""Who invoices, in the order in which they answer. A file must have one of these columns."""


@dataclass(frozen=True)
class Columns:
    """Where a file keeps what."""

    focus: dict[str, int]
    """FOCUS column -> its index in the file."""
    other: tuple[tuple[str, int], ...]
    """Every other column, sorted by name; a repeated name carries its ordinal (``x_A#2``)."""


def match(names: Sequence[str], where: str) -> Columns:
    """Match names exactly first, then without regard to case (Athena and Glue lower them).

    Raises ObjectRefused when a mandatory column is missing, or stands twice.
    """
    names = [name.strip() for name in names]
    focus: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in _CANONICAL:
            if name in focus:
                raise ObjectRefused(
                    "repeated_column",
                    f"column {name} stands twice",
                    where=where,
                    remedy="export it with one",
                )
            focus[name] = index
    taken = set(focus.values())
    for index, name in enumerate(names):
        canonical = _FOLDED.get(name.casefold())
        if canonical is not None and canonical not in focus:
            focus[canonical] = index
            taken.add(index)
    missing = [name for name in MANDATORY if name not in focus]
    if not any(name in focus for name in ISSUERS):
        missing.append(" or ".join(ISSUERS))
    if missing:
        raise ObjectRefused(
            "missing_columns",
            f"is no FOCUS bill: {len(names)} columns, but none named {', '.join(missing)}",
            where=where,
            remedy="deliver a FOCUS 1.0 to 1.4 cost and usage dataset with these columns, "
            "or move this file out of the source",
        )
    return Columns(focus, tuple(_other(names, taken)))


def _other(names: Sequence[str], taken: set[int]) -> list[tuple[str, int]]:
    seen: dict[str, int] = {}
    others: list[tuple[str, int]] = []
    for index, name in enumerate(names):
        if index in taken:
            continue
        name = name or f"column {index + 1}"
        seen[name] = seen.get(name, 0) + 1
        others.append((name if seen[name] == 1 else f"{name}#{seen[name]}", index))
    return sorted(others)


_CANONICAL = frozenset(FOCUS_COLUMNS)
_FOLDED = {name.casefold(): name for name in FOCUS_COLUMNS}
