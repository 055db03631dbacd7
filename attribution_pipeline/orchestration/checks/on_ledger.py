"""The questions, as Dagster asks them of ``attribution_ledger``.

Belongs here: names, blocking or alerting, the one step that answers them all. Does not: a question
(``conservation``, ``alerts``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import warnings
from collections.abc import Callable, Container, Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.checks import alerts, conservation, opencost, replay
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay, ask, result
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

PARTITIONED_CHECKS = "Specifying a partitions_def on an AssetCheckSpec"
"""How Dagster's warning begins."""

Question = Callable[[RecordedDay], Answer]

BLOCKING: Mapping[str, Question] = {
    "conservation_per_charge": conservation.conservation_per_charge,
    "conservation_per_invoice": conservation.conservation_per_invoice,
    "conservation_per_day": conservation.conservation_per_day,
    "tie_back_to_nodes": conservation.tie_back_to_nodes,
    "request_level_sums": conservation.request_level_sums,
    "tenant_only_on_evidence": conservation.tenant_only_on_evidence,
    "one_row_per_attribution_id": conservation.one_row_per_attribution_id,
    "one_policy_digest_per_version": conservation.one_policy_digest_per_version,
    "recorded_files": conservation.recorded_files,
}
"""A day that fails one is wrong: what is downstream of it stops."""

ALERTING: Mapping[str, Question] = {
    "rejected_records": alerts.rejected_records,
    "lines_in_two_files": alerts.billed_in_two_files,
    "telemetry_coverage": alerts.telemetry_coverage,
    "unallocated_share": alerts.unallocated_within_slo,
    "evidence_gates": alerts.evidence_gates,
    "opencost_gates": opencost.opencost_gates,
    "normalization_gate": replay.normalization_gate,
}
"""A day that fails one is exact, and says less than it could."""


def partitioned_specs(
    asset: str,
    questions: Mapping[str, Callable[..., Answer]],
    days: dg.DailyPartitionsDefinition,
    *,
    blocking: Container[str] = (),
) -> list[dg.AssetCheckSpec]:
    """Checks of a day of ``asset``: what each asks is what its question's docstring says."""
    with warnings.catch_warnings():
        # partitioned checks are in preview in 1.13: accepted, by name and nowhere else
        warnings.filterwarnings("ignore", PARTITIONED_CHECKS, dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name,
                asset=asset,
                description=" ".join((question.__doc__ or "").split()),
                blocking=name in blocking,
                partitions_def=days,
            )
            for name, question in questions.items()
        ]


def ledger_checks(days: dg.DailyPartitionsDefinition) -> dg.AssetChecksDefinition:
    """All checks of a day in one step: the files are hashed and opened once."""
    questions = {**BLOCKING, **ALERTING}
    specs = partitioned_specs(LEDGER, questions, days, blocking=BLOCKING)

    @dg.multi_asset_check(name="ledger_checks", specs=specs)
    def ledger_checks(
        context: dg.AssetCheckExecutionContext, deployment: DeploymentFile
    ) -> Iterator[Any]:
        with shown_as_failures():
            day = date.fromisoformat(context.op_execution_context.partition_key)
            recorded = RecordedDay(deployment.house(), day)
            for name, question in questions.items():
                yield result(ask(question, recorded), LEDGER, name, blocking=name in BLOCKING)

    return ledger_checks
