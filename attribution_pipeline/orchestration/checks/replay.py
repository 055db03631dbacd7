"""Whether a recorded day comes out again, and whether its roll-ups agree.

Belongs here: ``replay_variance`` and the normalization gate, as questions and as Dagster asks them.
Does not: verdicts and roll-ups (``proof``), when they run (``replay_schedule``).

``normalization_gate`` is one of the ledger's questions (``on_ledger``): it costs a scan. A replay
costs as much as the day, so ``replay_variance`` has a step of its own and never doubles a run:

- where the asset ``replay`` ran in the same run, it answers from that;
- where the ledger was computed in the same run (the daily run, a backfill from the UI), it answers
  from the last replay of this very state, and says where there is none yet;
- asked alone, it replays.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.assets.replay import (
    CODE,
    DETAIL,
    MANIFEST,
    REPLAY,
    verdict_metadata,
)
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay, result
from attribution_pipeline.orchestration.metadata import Metadata
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.proof.roll_ups import Gate

REPLAY_VARIANCE = "replay_variance"
GATE_OF_MONTH = "normalization_gate_month"

DESCRIPTIONS = {
    REPLAY_VARIANCE: "The recorded day comes out again from frozen inputs, every row and column, "
    "amounts within the policy's tolerance.replay_variance.",
    GATE_OF_MONTH: "Days add up to the billing periods that begin in the day's month, as they were "
    "delivered; requests to the ledger.",
}

REMEDY = {
    3: "Restore the named file from a copy: attribution replay --from {day} names what is left.",
    4: "Keep the day's manifest and its files: this is a defect of the engine, or rows that were not "
    "made by it. attribution replay --from {day} lists the rows.",
    5: "Stop downstream use of this day, and run it again: attribution run --from {day} --to {day}",
}
"""What to do next, by the status of a replay."""

LATER = f"The job `{REPLAY}` does it at night; materializing `{REPLAY}` does it now."
"""Where a run computed the day itself: asking at once would double its cost."""

GATE_COLUMNS = ("pair", "currency", "cost", "finer", "named", "coarser", "difference")


def normalization_gate(recorded: RecordedDay) -> Answer:
    """Hours add up to the day: of the bill, of requests, and of the ledger against the bill."""
    from attribution_pipeline.orchestration.replaying import gate_of_day, required_head

    return _gate(gate_of_day(recorded.house, required_head(recorded.house, recorded.day)))


def gate_of_month(recorded: RecordedDay) -> Answer:
    """Days add up to the billing periods as they were delivered; requests to the ledger."""
    from attribution_pipeline.orchestration.replaying import gate_of_month as months

    return _gate(months(recorded.house, recorded.day))


def replay_checks(days: dg.DailyPartitionsDefinition) -> dg.AssetChecksDefinition:
    """``replay_variance`` and the month's gate, in a step of their own."""
    with warnings.catch_warnings():
        # partitioned checks are in preview in 1.13: accepted, by name and nowhere else
        warnings.filterwarnings(
            "ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning
        )
        specs = [
            dg.AssetCheckSpec(
                name,
                asset=LEDGER,
                description=description,
                additional_deps=[REPLAY],
                partitions_def=days,
            )
            for name, description in DESCRIPTIONS.items()
        ]

    @dg.multi_asset_check(name="replay_checks", specs=specs)
    def replay_checks(
        context: dg.AssetCheckExecutionContext, deployment: DeploymentFile
    ) -> Iterator[Any]:
        with shown_as_failures():
            op = context.op_execution_context
            recorded = RecordedDay(deployment.house(), date.fromisoformat(op.partition_key))
            asked = _Asked(recorded, op.instance, op.run.run_id)
            yield result(asked.variance(), LEDGER, REPLAY_VARIANCE, blocking=True)
            yield result(asked.month(), LEDGER, GATE_OF_MONTH)

    return replay_checks


@dataclass(frozen=True)
class _Asked:
    """The day, and the run in which it is asked for."""

    recorded: RecordedDay
    instance: dg.DagsterInstance
    run_id: str

    def variance(self) -> Answer:
        from attribution_pipeline.orchestration.replaying import replay, required_head

        day, house = self.recorded.day, self.recorded.house
        head = required_head(house, day)
        last = _newest(self.instance, REPLAY, day)
        if last is not None and last.run_id == self.run_id:
            return _answer(day, last.metadata)
        if not self._is_computed_here():
            return _answer(day, verdict_metadata(replay(house, head)))
        if last is not None and last.metadata[MANIFEST].value == head.manifest_id:
            return _answer(day, last.metadata)
        return Answer(
            True,
            f"State {head.state} was recorded in this run and is not replayed yet. {LATER}",
            {MANIFEST: head.manifest_id},
        )

    def month(self) -> Answer:
        if self._is_computed_here():
            return Answer(True, f"Not asked where days are computed: it reads a month. {LATER}")
        return gate_of_month(self.recorded)

    def _is_computed_here(self) -> bool:
        """Whether this run computed the ledger of the day."""
        computed = _newest(self.instance, LEDGER, self.recorded.day)
        return computed is not None and computed.run_id == self.run_id


def _answer(day: date, verdict: Mapping[str, Any]) -> Answer:
    said = {name: getattr(value, "value", value) for name, value in verdict.items()}
    code = said[CODE]
    if code == 0:
        return Answer(True, f"Reproduced: {said[DETAIL]}.", verdict)
    under = f"{said['policy']}, state {said['state']}"
    remedy = REMEDY[code].format(day=day)
    return Answer(False, f"{said['verdict']} ({under}): {said[DETAIL]}. {remedy}", verdict)


@dataclass(frozen=True)
class _Materialized:
    """A run that materialized an asset, and what it said."""

    run_id: str
    metadata: Mapping[str, Any]


def _newest(instance: dg.DagsterInstance, asset: str, day: date) -> _Materialized | None:
    """The newest materialization of an asset's day."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day.isoformat()]),
        limit=1,
    ).records
    if not found:
        return None
    materialization = found[0].asset_materialization
    return _Materialized(found[0].run_id, materialization.metadata if materialization else {})


def _gate(gate: Gate) -> Answer:
    rows = [
        {
            "pair": line.pair,
            "currency": line.currency,
            "cost": line.cost,
            "finer": line.finer,
            "named": ", ".join(f"{name} {amount:f}" for name, amount in line.named.items()),
            "coarser": line.coarser,
            "difference": line.difference,
        }
        for line in gate.lines
    ]
    metadata: Metadata = {
        "groups": gate.groups,
        "groups_apart": len(gate.apart),
        "roll_ups": shown.table(rows, GATE_COLUMNS),
        **gate.facts,
    }
    if gate.passed:
        return Answer(True, f"Roll-ups of {gate.subject} agree: {gate.description()}.", metadata)
    metadata["apart"] = shown.markdown_list(group.text() for group in gate.apart[: shown.MOST_ROWS])
    return Answer(
        False,
        f"Roll-ups of {gate.subject} disagree: {gate.description()}. Keep the manifests of its days: "
        "rows, requests or charges are not what the bill was divided into. attribution replay "
        "--from DAY --to DAY finds the day.",
        metadata,
    )
