"""Triage: P1 control plane, P2 identity, P3 joinability; it stops at the first FAIL.

Belongs here: one small module a priority, what they judge (``asked``), the order. Does not: how a
verdict is shown (``views.score``), opening a deployment (``orchestration.triage``).

The order is the point: an allocation formula is worth nothing while identity and control boundaries
are open. Rule: design page 40, P1 to P3.
"""

from __future__ import annotations

from attribution_pipeline.proof.triage.asked import Asked
from attribution_pipeline.proof.triage.order import PRIORITIES, Triage, triage

__all__ = ["PRIORITIES", "Asked", "Triage", "triage"]
