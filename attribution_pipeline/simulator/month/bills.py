"""The month's three bills as their vendors deliver them, in any state of being finished.

Belongs here: the layouts, and drafts: an open month with other amounts, rows missing, rows that
will be gone. Does not: what is finally charged (``happenings``), when a draft comes (``lateness``).

- ``tokens``: a folder for each delivery, ``replace``. The folder that sorts last stands, whenever
  it comes.
- ``machines``: one file for each billing period, written anew, ``replace``. The newest content
  stands.
- ``vectors``: one file a day, ``append``. The newest content of a day's file stands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date

from attribution_pipeline.simulator.charges import Charge, Line
from attribution_pipeline.simulator.exports import csv_text, rows_of
from attribution_pipeline.simulator.month.happenings import Month

DELIVERY = {"tokens": "replace", "machines": "replace", "vectors": "append"}

Change = Callable[[Charge], Charge | None]
"""What a draft makes of a final charge: None where the row is not there yet."""

FINAL_RUN = 99
"""Number of the folder of a period's final delivery: drafts have smaller ones."""

CHANGED_SHARE, MISSING_SHARE = 0.03, 0.02


def charges_of(month: Month, bill: str, *, corrections: bool = False) -> list[Charge]:
    """A bill's charges: of the month's own billing period, or the corrections of the next."""
    return [
        charge
        for charge in month.charges
        if charge.export == bill and (charge.billing_period is not None) == corrections
    ]


def day_of(charge: Charge) -> date:
    """The first day of its charge period."""
    return charge.lines[0].start.date()


def text(charges: Iterable[Charge], invoice: str = "") -> bytes:
    """A FOCUS CSV. ``invoice``: the invoice id that every line carries once it is issued."""
    rows = [row for charge in charges for _, row in rows_of(charge)]
    return csv_text([row | {"InvoiceId": invoice} for row in rows]).encode()


def path(bill: str, period: date, *, run: int = FINAL_RUN, day: date | None = None) -> str:
    """Where a delivery lies, from the deployment's folder."""
    if bill == "tokens":
        return f"bill-tokens/{period:%Y-%m}/run-{run:02d}/tokens.csv"
    if bill == "machines":
        return f"bill-machines/machines-{period:%Y-%m}.csv"
    return f"bill-vectors/vectors-{day}.csv"


def draft(charges: Iterable[Charge], until: date, change: Change) -> list[Charge]:
    """The bill as it stands when days up to ``until`` are in it."""
    changed = (change(charge) for charge in charges if day_of(charge) <= until)
    return [charge for charge in changed if charge is not None]


def wrong_now_and_then(dice: random.Random) -> Change:
    """Some rows with other amounts, some not there yet."""

    def change(charge: Charge) -> Charge | None:
        luck = dice.random()
        if luck < MISSING_SHARE:
            return None
        if luck < MISSING_SHARE + CHANGED_SHARE:
            return scaled(charge, dice.choice((50, 90, 120, 133)))
        return charge

    return change


def scaled(charge: Charge, percent: int) -> Charge:
    """The charge at another amount; its quantity stays."""
    lines = [
        Line(line.start, line.end, line.billed * percent // 100, line.effective * percent // 100,
             line.quantity)
        for line in charge.lines
    ]  # fmt: skip
    return replace(charge, lines=lines)


def doomed(charge: Charge) -> Charge:
    """A row beside ``charge`` that a later delivery has no more: its SKU was a mistake."""
    focus = charge.focus | {"SkuId": "sku.mistake", "SkuPriceId": "sku.mistake.price"}
    return replace(scaled(charge, 40), focus=focus)
