"""Daily roll-ups: small tables of every recorded day, from which views and the dashboard read.

Belongs here: making them (``making``), keeping them as Delta tables (``kept``), opening them (``reading``).
Does not: their columns (``model.daily``), what people ask of them (``views.spend``, the dashboard).

A roll-up is of one state of its day and says so. One that lags behind its day, or is missing, is computed
from the published tables where it is read: an old number is never shown.
"""

from __future__ import annotations

from attribution_pipeline.views.daily.basis import LEDGER_TABLES, OUTCOME_TABLES, TABLES
from attribution_pipeline.views.daily.kept import Rollups, rollups_of
from attribution_pipeline.views.daily.reading import Opened, daily_key, open_daily, rows_of_day
from attribution_pipeline.views.daily.writing import (
    KeptDay,
    keep_day,
    keep_ledger_tables,
    keep_outcome_tables,
)

__all__ = [
    "LEDGER_TABLES", "OUTCOME_TABLES", "TABLES", "KeptDay", "Opened", "Rollups", "daily_key",
    "keep_day", "keep_ledger_tables", "keep_outcome_tables", "open_daily", "rollups_of", "rows_of_day",
]  # fmt: skip
