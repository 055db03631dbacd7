"""``completeness``: what is known of who caused a day's cost, published beside its totals.

Belongs here: the asset, what is shown of it, and that its checks are answered with it. Does not: the
sums (``proof.completeness``), the questions (``checks.completeness``).
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from attribution_pipeline.orchestration.assets.evidence import CODE_VERSION
from attribution_pipeline.orchestration.assets.ledger import LEDGER, OPERATION_COSTS
from attribution_pipeline.orchestration.checks.answers import result
from attribution_pipeline.orchestration.checks.completeness import QUESTIONS, Disclosed
from attribution_pipeline.orchestration.checks.on_ledger import partitioned_specs
from attribution_pipeline.orchestration.metadata import Metadata, money
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

COMPLETENESS = "completeness"

STEP = "disclosed_day"
"""Of a run: the asset and its checks."""


def completeness_asset(days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The day's disclosure, and its two checks, in one step."""

    @dg.multi_asset(
        name=STEP,
        partitions_def=days,
        specs=[
            dg.AssetSpec(
                COMPLETENESS,
                deps=[LEDGER, OPERATION_COSTS],
                group_name="proof",
                kinds={"duckdb"},
                code_version=CODE_VERSION,
                description=(
                    "Null rate and coverage of tenant, consumer, principal, workflow, model and "
                    "usage, by route slice, by cost and by count, of the day and of its month to "
                    "date. Open rows are in the denominator. Disclosed beside every total, never "
                    "folded into it."
                ),
            )
        ],
        check_specs=partitioned_specs(COMPLETENESS, QUESTIONS, days),
    )
    def disclosed_day(
        context: dg.AssetExecutionContext, deployment: DeploymentFile
    ) -> Iterator[Any]:
        day = date.fromisoformat(context.partition_key)
        with shown_as_failures():
            disclosed = disclosed_of(deployment.house(), day)
        yield dg.MaterializeResult(
            asset_key=COMPLETENESS,
            metadata=_metadata(disclosed),
            data_version=dg.DataVersion(_version(disclosed)),
        )
        for name, question in QUESTIONS.items():
            yield result(question(disclosed), COMPLETENESS, name)

    return disclosed_day


def disclosed_of(house: Any, day: date) -> Disclosed:
    """What is known of a recorded day and of its month to date, under the day's own policy."""
    from attribution_pipeline.orchestration.completeness import month_to_date, of_days, policy_of
    from attribution_pipeline.orchestration.replaying import required_head
    from attribution_pipeline.proof.relations import RecordedDay

    head = required_head(house, day)
    policy = policy_of(house, RecordedDay(head, house.lake.document(head)))
    metric = policy.settlement.metric
    return Disclosed(policy, of_days(house, [day], metric), month_to_date(house, day, metric))


def _metadata(disclosed: Disclosed) -> Metadata:
    from attribution_pipeline.views.completeness import markdown

    day, month = disclosed.day, disclosed.month
    return {
        "slices": len(day.slices),
        "records": sum(int(one.total.records) for one in day.slices),
        **{f"total_{one.route.currency}": money(one.total.cost) for one in day.totals},
        "metric": day.metric,
        "completeness": dg.MetadataValue.md(markdown(day)),
        "month_to_date_days": len(month.days),
        "month_to_date": dg.MetadataValue.md(markdown(month)),
    }


def _version(disclosed: Disclosed) -> str:
    from attribution_pipeline.proof.completeness import as_document

    said = [as_document(disclosed.day), as_document(disclosed.month)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
