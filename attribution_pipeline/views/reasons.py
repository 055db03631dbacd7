"""What to do about money that nobody is charged for, by the reason that its rows say.

Belongs here: one sentence a reason, for the check of the unallocated share and for what stands out. Does
not: what a reason means (``model.ledger``), remedies of checks (``orchestration.checks.runbook``).
"""

from __future__ import annotations

from collections.abc import Mapping

WHERE = "attribution ledger --by unallocated_reason,service shows where."
"""Of a reason that has no remedy of its own."""

REMEDIES: Mapping[str, str] = {
    "telemetry_gap": "Deliver the spans that are missing: see telemetry_coverage for the slices.",
    "identity_missing": "Stamp attribution.tenant_id on these calls, or name their attribute under "
    "join.attributes.",
    "identity_unverified": "See `verdict` of these operations: let the service sign, deliver the "
    "key that is missing, or link the traces that share an envelope.",
    "no_operation_evidence": "Instrument what runs in these pods, or declare their workload under "
    "join.dedicated.",
    "no_driver": "Deliver the usage report that the pool's driver names, or give the pool another.",
    "unmatched_charge": "Add a meter or a pool to the policy that matches these charges.",
    "unused_commitment": "Buy less of it, or name its owner.",
    "unmounted": "Remove the volume, or give it a pool.",
}
"""Reason -> what to do."""


def remedy(reason: str) -> str:
    """What to do about a reason."""
    return REMEDIES.get(reason, WHERE)
