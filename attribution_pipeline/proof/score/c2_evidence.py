"""C2: every request names its model and says its tokens.

Belongs here: what counts as evidence of model and tokens. Does not: the share (``shares``).

An open row has the model and the bucket of the bill, but no request said them: it is no evidence.
"""

from __future__ import annotations

from attribution_pipeline.proof.score.asked import Asked
from attribution_pipeline.proof.score.shares import ShareQuestion
from attribution_pipeline.proof.score.verdict import Verdict

QUESTION = ShareQuestion(
    "C2",
    "model and token evidence",
    condition="model is not null and has_operation and has_usage "
    "and (token_kind is not null or method <> 'meter')",
    slo="model_token_evidence",
    said="stands on requests that name their model and their tokens",
    remedy="Deliver the spans that are missing, and have emitters record gen_ai.response.model and "
    "gen_ai.usage.*.",
)


def judge(asked: Asked) -> list[Verdict]:
    """One verdict a route slice."""
    return QUESTION.judge(asked)
