"""Does spend stay within what was reserved, and do gateways count what the ledger says?

Belongs here: the two questions and their remedies. Does not: status and drift (``views``), how the
asset asks them (``assets.reservations``).

Both alert and neither blocks: the ledger is right whatever was reserved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.checks.answers import Answer
from attribution_pipeline.views import reservation_tables as tables
from attribution_pipeline.views.reservations import FORECAST_OVER, OTHER_CURRENCY, OVER

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.reserving import Reserved

TRIPPED = (OVER, FORECAST_OVER, OTHER_CURRENCY)
NAMED = 3
"""Reservations that a sentence tells of; the table has all of them."""


def budget_guardrail(reserved: Reserved) -> Answer:
    """No reservation is over its amount, is forecast to be by the end of its period, or is in a
    currency that its scope does not cost in."""
    limit = reserved.policy.tolerance.reservations_over if reserved.policy else 0
    found = [status for status in reserved.statuses if status.state in TRIPPED]
    rows = [tables.row(status, reserved.metric) for status in reserved.statuses]
    metadata: shown.Metadata = {
        "reservations": len(reserved.statuses),
        "over": sum(status.state == OVER for status in found),
        "forecast_over": sum(status.state == FORECAST_OVER for status in found),
        "other_currency": sum(status.state == OTHER_CURRENCY for status in found),
        "threshold": limit,
        "through": str(reserved.through or "no day is recorded"),
        "status": shown.table(rows, tables.SHOWN),
    }
    if not reserved.statuses:
        return Answer(True, "No reservation is watched.", metadata)
    if not found:
        return Answer(True, f"All {len(reserved.statuses)} reservations are within.", metadata)
    said = ". ".join(tables.sentence(status) for status in found[:NAMED])
    more = f", and {len(found) - NAMED} more" if len(found) > NAMED else ""
    first = found[0].reservation
    by = ",".join(dict.fromkeys(("workflow_id", "model", *first.scope.columns)))
    return Answer(
        len(found) <= limit,
        f"{said}{more}. See what spends: attribution ledger --from {first.period_start} --by {by}; "
        "then slow it down, or raise the amount in its file.",
        metadata,
    )


def reservation_drift(reserved: Reserved) -> Answer:
    """Every gateway's counter is within ``tolerance.reservation_drift`` of what the ledger says of its
    scope and period."""
    policy = reserved.policy
    rows = tables.drift_rows(reserved.statuses)
    compared = [
        (status, drift)
        for status in reserved.statuses
        for drift in status.drifts
        if drift.drift is not None
    ]
    metadata: shown.Metadata = {
        "counters": len(rows),
        "compared": len(compared),
        "threshold": shown.percent(policy.tolerance.reservation_drift) if policy else "",
        "drift": shown.table(rows, tables.DRIFT_COLUMNS),
    }
    if not compared or policy is None:
        waits = (
            f"{len(rows)} counters wait for days to be recorded." if rows else "No gateway counts."
        )
        return Answer(True, waits, metadata)
    limit = policy.tolerance.reservation_drift
    beyond = [(status, drift) for status, drift in compared if drift.beyond(limit)]
    metadata["beyond"] = len(beyond)
    if not beyond:
        within = f"All {len(compared)} counters are within {shown.percent(limit)} of the ledger."
        return Answer(True, within, metadata)
    status, drift = max(beyond, key=lambda found: abs(found[1].drift or Decimal(0)))
    said = (
        f"{len(beyond)} of {len(compared)} counters are more than {shown.percent(limit)} off the "
        f"ledger, most {drift.counter.gateway or 'the gateway'} for {status.reservation.title}: "
        f"{tables.short(drift.counter.counted)} counted, {tables.short(drift.ledger_low)} "
        f"{status.reservation.currency} in the ledger. "
    )
    return Answer(
        False,
        said + "A gateway counts calls at list price: give its budget the scope that it sees "
        "(component = direct), bring its prices up to date, and look for calls that go around it.",
        metadata,
    )


QUESTIONS: Mapping[str, Callable[[Reserved], Answer]] = {
    "budget_guardrail": budget_guardrail,
    "reservation_drift": reservation_drift,
}
