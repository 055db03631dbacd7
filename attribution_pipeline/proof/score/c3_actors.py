"""C3: who called and for whom it was are both known, and kept apart.

Belongs here: null rates of the two actors, published either way. Does not: the share (``shares``).
A consumer that is the principal copied over is not apart (FOCUS pull request 2360).
"""

from __future__ import annotations

from dataclasses import replace

from attribution_pipeline.proof.completeness import CONDITIONS
from attribution_pipeline.proof.ratio import percent
from attribution_pipeline.proof.score.asked import Asked
from attribution_pipeline.proof.score.shares import ShareQuestion
from attribution_pipeline.proof.score.verdict import Verdict

QUESTION = ShareQuestion(
    "C3",
    "actor separation",
    condition=CONDITIONS["actors"],
    slo="actor_coverage",
    said="names principal and consumer, apart",
    remedy="Stamp attribution.principal_id (who called) and attribution.consumer_id (for whom) on "
    "the calls, or name their attributes under join.attributes, for which landed spans are read again.",
)


def judge(asked: Asked) -> list[Verdict]:
    """One verdict a route slice, with the null rates of both actors by cost and by count."""
    slices = {found.route: found for found in asked.disclosed.slices}
    verdicts = []
    for verdict in QUESTION.judge(asked):
        found = slices[verdict.route] if verdict.route else None
        rates = [
            f"{field} {percent(found.share(field, 'cost').missing)} by cost, "
            f"{percent(found.share(field, 'records').missing)} by count"
            for field in ("principal", "consumer")
            if found is not None
        ]
        detail = f"{verdict.detail.rstrip('.')}. Null rates: {'; '.join(rates)}"
        verdicts.append(replace(verdict, detail=detail))
    return verdicts
