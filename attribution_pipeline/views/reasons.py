"""Money that nobody is charged for: what the reason that its rows say means, and what to do about it.

Belongs here: one sentence a reason, for docs/concepts.md, the dashboard and a call's own page; one remedy
a reason, for the check of the unallocated share and for what stands out. Does not: which reasons there
are (``model.ledger``), remedies of checks (``orchestration.checks.runbook``).
"""

from __future__ import annotations

from collections.abc import Mapping

WHERE = "attribution ledger --by unallocated_reason,service shows where."
"""Of a reason that has no remedy of its own."""

REMEDIES: Mapping[str, str] = {
    "telemetry_gap": "Deliver the spans that are missing: see telemetry_coverage for the slices.",
    "identity_missing": "Stamp attribution.tenant_id on these calls, or name their attribute under "
    "join.attributes, for which landed spans are read again.",
    "identity_unverified": "See `verdict` of these operations: let the service sign, deliver the "
    "key that is missing, or link the traces that share an envelope.",
    "no_operation_evidence": "Instrument what runs in these pods; name a model server that many use under "
    "serving: of the policy; declare a workload of one tenant, or the cluster's own pods (namespace "
    "kube-system), under join.dedicated.",
    "no_driver": "Deliver the usage report that the pool's driver names, or give the pool another.",
    "unmatched_charge": "Add a meter or a pool to the policy that matches these charges, for nodes of a "
    "cluster one with split: opencost; attribution policy check names rules that take nothing.",
    "unused_commitment": "Buy less of it, or name its owner.",
    "unmounted": "Remove the volume, or give it a pool.",
}
"""Reason -> what to do."""


MEANS: Mapping[str, str] = {
    "telemetry_gap": "tokens were billed that no span shows",
    "no_operation_evidence": "no call at all in the slice, or a pod that none ran on",
    "identity_missing": "the call is known, its tenant is not",
    "identity_unverified": "who it claims to be was not signed as it must be",
    "no_driver": "the pool's driver has no quantities",
    "unmatched_charge": "no meter and no pool of the policy takes the charge",
    "unmounted": "a volume or balancer that no pod used",
    "unused_commitment": "commitment that was paid for and not used",
    "quarantined": "evidence that contradicts itself",
    "outside_range": "charges of days before `first_day`",
    "held": "a closed amount moved under `closed_period: hold`",
    "rounding": "dust below a quantum's share",
    "unmetered": "the call does not say what it used",
}
"""Reason -> what it means. docs/concepts.md has the same words, which a test holds."""


def meaning(reason: str) -> str:
    """What a reason means; nothing for a word that is none."""
    return MEANS.get(reason, "")


def remedy(reason: str) -> str:
    """What to do about a reason."""
    return REMEDIES.get(reason, WHERE)
