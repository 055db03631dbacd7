"""When people are told: every minute, of what checks and runs came to since the last.

Belongs here: the sensor and what it says of itself. Does not: any of the steps.

It requests no run. Its cursor is where the last look at Dagster's records ended; what was told is in the
storage. It runs as soon as the deployment file names a channel: who writes one wants to be told.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from attribution_pipeline.orchestration.alerting.decide import decide
from attribution_pipeline.orchestration.alerting.deliver import deliver
from attribution_pipeline.orchestration.alerting.found import Cursor, Finding, look
from attribution_pipeline.orchestration.alerting.state import (
    ChannelState,
    State,
    load,
    save,
    text_of,
)
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House

ALERTS = "alerts"

EVERY_S = 60


def alerts_sensor() -> dg.SensorDefinition:
    """Tells the channels of the deployment file."""

    @dg.sensor(
        name=ALERTS,
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells the channels under `alerts` of checks that fail or warn, of budgets, of stale days "
            "and of failed runs: each once, and once more when it is over. What can't be sent is tried "
            "again, and said here. On where the deployment file names a channel."
        ),
    )
    def alerts(context: dg.SensorEvaluationContext, deployment: DeploymentFile) -> dg.SkipReason:
        with shown_as_failures():
            house = deployment.house()
            now = house.now()
        repository = context.repository_def
        assert repository is not None  # Dagster gives it to every sensor
        found, cursor = look(
            context.instance,
            sorted(repository.asset_graph.asset_check_keys, key=str),
            repository.job_names,
            Cursor.read(context.cursor, now),
            now,
        )
        state, sent = tell(house, found)
        context.update_cursor(cursor.text())
        said = summary(house, state, len(found), sent)
        if any(one.last_error for one in state.values()):
            context.log.warning(said)
        return dg.SkipReason(said)

    return alerts


def tell(house: "House", found: Sequence[Finding]) -> tuple[State, int]:
    """Decide, keep what was decided, deliver. The state afterwards, and how many messages went."""
    now, store, channels = house.now(), house.lake.store, house.deployment.alerts
    dagster = house.deployment.dagster
    state = load(store)
    kept = text_of(state)
    for channel in channels:
        known = state.setdefault(channel.name, ChannelState())
        decide(channel, known, found, now, dagster.base_url if dagster else None)
    # a channel that is taken out of the file, and put in again, begins anew
    for name in set(state) - {channel.name for channel in channels}:
        del state[name]
    if text_of(state) != kept:
        save(store, state)
    return state, deliver(channels, state, now, lambda: save(store, state))


def summary(house: "House", state: State, looked: int, sent: int) -> str:
    """What the tick did, and what waits, in one line."""
    open_ = {key for one in state.values() for key in one.told}
    parts = [f"{looked:,} results looked at", f"{sent:,} messages sent", f"{len(open_):,} open"]
    for name, one in state.items():
        if one.waiting:
            tried = max(waiting.tries for waiting in one.waiting)
            error = f" ({one.last_error}, tried {tried} times)" if one.last_error else ""
            parts.append(f"{name}: {len(one.waiting):,} wait{error}")
        if one.given_up:
            parts.append(f"{name}: {one.given_up:,} were never taken and given up")
    return "; ".join(parts)
