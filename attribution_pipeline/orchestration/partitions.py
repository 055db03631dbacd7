"""Days. Belongs here: the one partitions definition. Does not: anything else.

Tenants are a column, never a partition: process start is the price of a Dagster run, so one run
makes one whole day.
"""

from __future__ import annotations

from datetime import date

import dagster as dg


def charge_days(first_day: date) -> dg.DailyPartitionsDefinition:
    """UTC days from the deployment's ``first_day`` to yesterday.

    ``first_day`` stays as it is once days are recorded: another start re-keys every status that
    Dagster keeps.
    """
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone="UTC")
