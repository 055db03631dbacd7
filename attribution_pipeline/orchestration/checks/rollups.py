"""Do the daily roll-ups say what their day's ledger says? Asked of ``spend_daily``.

Belongs here: the question. Does not: making roll-ups (``views.daily``), how the asset asks it
(``assets.views``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.viewing import Viewed

COLUMNS = ("table", "currency", "billed_cost", "effective_cost", "rows")


@dataclass(frozen=True)
class RolledDay:
    """A day's roll-ups as any reader finds them, and the day itself."""

    viewed: Viewed
    recorded: RecordedDay


def rollups_sum_to_the_ledger(rolled: RolledDay) -> Answer:
    """Both costs and the rows of ``spend_daily`` and ``resources_daily`` are the ledger's, per currency,
    and ``calls_daily`` has every operation."""
    ledger = _ledger(rolled.recorded)
    rows = [_row("ledger", currency, said) for currency, said in sorted(ledger.items())]
    wrong = []
    for table, found in rolled.viewed.sums.items():
        rows += [_row(table, currency, said) for currency, said in sorted(found.items())]
        if {currency: _numbers(said) for currency, said in found.items()} != {
            currency: _numbers(said) for currency, said in ledger.items()
        }:
            wrong.append(table)
    files = rolled.recorded.manifest["files"].get("operations", [])
    operations = sum(file["rows"] for file in files)
    if rolled.viewed.calls != operations:
        wrong.append(f"calls_daily ({rolled.viewed.calls:,} of {operations:,} calls)")
    metadata = {"operations": operations, "sums": shown.table(rows, COLUMNS)}
    if wrong:
        return Answer(False, f"{', '.join(wrong)} is not what the ledger says.", metadata)
    return Answer(True, "Both costs, and every row and call, are in the roll-ups once.", metadata)


QUESTIONS: Mapping[str, Callable[[RolledDay], Answer]] = {
    "rollups_sum_to_the_ledger": rollups_sum_to_the_ledger
}


def _ledger(recorded: RecordedDay) -> dict[str, list[str]]:
    """Summed by Arrow from the published rows: another way than the one that made the roll-ups."""
    columns = ["billing_currency", "billed_cost", "effective_cost"]
    rows = recorded.house.lake.read("ledger", recorded.day, recorded.day, columns)
    sums = rows.group_by("billing_currency").aggregate(
        [("billed_cost", "sum"), ("effective_cost", "sum"), ([], "count_all")]
    )
    return {
        row["billing_currency"]: [
            f"{row['billed_cost_sum']:f}", f"{row['effective_cost_sum']:f}", str(row["count_all"])
        ]
        for row in sums.to_pylist()
    }  # fmt: skip


def _numbers(said: list[str]) -> list[Decimal]:
    return [Decimal(number) for number in said]


def _row(table: str, currency: str, said: list[str]) -> dict[str, Any]:
    billed, effective, rows = said
    return {
        "table": table,
        "currency": currency,
        "billed_cost": Decimal(billed),
        "effective_cost": Decimal(effective),
        "rows": int(rows),
    }
