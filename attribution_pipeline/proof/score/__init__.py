"""The score: six checkpoints, C1 to C6, per route slice, each with its number, its query and its rows.

Belongs here: one small module a checkpoint, what they judge (``asked``), what they answer
(``verdict``), and their order. Does not: how a verdict is shown (``views.score``), opening a
deployment (``orchestration.scoring``).

Shares are of the settlement metric, open rows in the denominator; the same by tokens beside it. No
evidence is a FAIL, ``no_evidence``. Rule: design page 40.
"""

from __future__ import annotations

from attribution_pipeline.proof.ratio import NO_EVIDENCE
from attribution_pipeline.proof.score.asked import Asked
from attribution_pipeline.proof.score.board import CHECKPOINTS, Score, score
from attribution_pipeline.proof.score.verdict import Rows, Verdict

__all__ = ["CHECKPOINTS", "NO_EVIDENCE", "Asked", "Rows", "Score", "Verdict", "score"]
