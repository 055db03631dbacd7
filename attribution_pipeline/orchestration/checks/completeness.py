"""Is enough known of who caused the day's cost? Asked of ``completeness``, with the policy's SLOs.

Belongs here: the two questions and their remedies. Does not: the sums (``proof.completeness``), how
the asset asks them (``assets.completeness``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.checks.answers import Answer
from attribution_pipeline.orchestration.metadata import Metadata
from attribution_pipeline.proof.ratio import NO_EVIDENCE, Ratio, judged, percent

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy
    from attribution_pipeline.proof.completeness import Completeness, SliceCompleteness

COLUMNS = ("slice", "by cost", "by tokens", "missing")


@dataclass(frozen=True)
class Disclosed:
    """What is known of a day, and of its month to date."""

    policy: Policy
    day: Completeness
    month: Completeness


def segmentation_completeness(disclosed: Disclosed) -> Answer:
    """Of every meter slice, what stands on a tenant and a workflow is at or over
    ``slo.segmentation_completeness``, open rows in the denominator."""
    limit = disclosed.policy.slo.segmentation_completeness
    slices = [
        (one, one.segmentation(), one.segmentation("tokens")) for one in disclosed.day.metered
    ]
    month = [one.segmentation() for one in disclosed.month.totals if one.is_metered]
    return _answer(
        "Segmentation completeness",
        slices,
        month,
        limit,
        "Deliver the spans that are missing, and stamp attribution.tenant_id and "
        "attribution.workflow_id on the calls: attribution triage --only P3 --out rows.json "
        "names the rows.",
    )


def actor_coverage(disclosed: Disclosed) -> Answer:
    """Of every route slice, what names principal and consumer, apart, is at or over
    ``slo.actor_coverage``."""
    limit = disclosed.policy.slo.actor_coverage
    slices = [(one, one.actors(), one.actors("tokens")) for one in disclosed.day.routes]
    month = [one.actors() for one in disclosed.month.totals if one.is_route]
    return _answer(
        "Actor coverage",
        slices,
        month,
        limit,
        "Stamp attribution.principal_id (who called) and attribution.consumer_id (for whom) on the "
        "calls, or name their attributes under join.attributes, for which landed spans are read again.",
    )


QUESTIONS: Mapping[str, Callable[[Disclosed], Answer]] = {
    "segmentation_completeness": segmentation_completeness,
    "actor_coverage": actor_coverage,
}


def _answer(
    what: str,
    slices: list[tuple[SliceCompleteness, Ratio, Ratio]],
    month: list[Ratio],
    limit: Decimal,
    remedy: str,
) -> Answer:
    below = [found for found in slices if not judged(*found[1:]).reaches(limit)]
    metadata: Metadata = {
        "slices": len(slices),
        "below": len(below),
        "threshold": percent(limit),
        "month_to_date": ", ".join(percent(ratio.value) for ratio in month) or NO_EVIDENCE,
    }
    if not slices:
        return Answer(False, f"{NO_EVIDENCE}: no request was billed on the day. {remedy}", metadata)
    rows = [
        {
            "slice": one.route.name,
            "by cost": percent(cost.value),
            "by tokens": percent(tokens.value),
            "missing": cost.whole - cost.part,
        }
        for one, cost, tokens in below or slices
    ]
    metadata["by_slice"] = shown.table(rows, COLUMNS)
    if not below:
        text = f"{what} of all {len(slices)} slices is at or over {percent(limit)}."
        return Answer(True, text, metadata)
    worst, cost, tokens = min(below, key=lambda found: judged(*found[1:]).exact or 0)
    said = percent(judged(cost, tokens).value)
    return Answer(
        False,
        f"{what} is below {percent(limit)} in {len(below)} of {len(slices)} slices, lowest {said} "
        f"for {worst.route.name}. {remedy}",
        metadata,
    )
