"""Money that nobody is charged for: what the reason that its rows say means, and what to do about it.

Belongs here: one sentence a reason, for docs/concepts.md, the dashboard and a call's own page; one remedy
a reason, for the check of the unallocated share and for what stands out. Does not: which reasons there
are (``model.ledger``), remedies of checks (``orchestration.checks.runbook``).
"""

from __future__ import annotations

from collections.abc import Mapping

from attribution_pipeline.model.ledger import EARLIER

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
    "no_driver": "Deliver the usage report that the pool's driver names, or give the pool another; idle that "
    "the policy keeps visible stands here too.",
    "unmatched_charge": "Add a meter or a pool to the policy that matches these charges, for nodes of a "
    "cluster one with split: opencost; attribution policy check names rules that take nothing.",
    "unused_commitment": "Buy less of it, or name its owner.",
    "unmounted": "Remove the volume, or give it a pool.",
    EARLIER: "Nothing: they are of days that are not in the ledger, and no share, mean or forecast counts "
    "them. To have them divided, start the ledger earlier (`first_day`).",
}
"""Reason -> what to do."""

REMEDIES_OF_PART: Mapping[tuple[str, str], str] = {
    ("no_operation_evidence", "direct"): (
        "Deliver the spans of these calls. Where the bill only spells a model otherwise than calls do, give it "
        "a meter with `model: NAME`: attribution policy check names both sides."
    ),
    ("no_driver", "shared"): (
        "Deliver the usage report that the pool's driver names, or give the pool another."
    ),
    ("no_driver", "idle"): (
        "It is idle that the policy keeps visible (`idle: {keep: visible}`), or whose driver had nothing to "
        "weigh: make the capacity smaller, or give the pool's `idle` another driver."
    ),
    ("no_driver", "workload"): (
        "OpenCost has no node, or no cost of one, for these charges: deliver its day, or mend `nodes` of the "
        "policy; what is no machine's wants a pool without `split`."
    ),
}
"""(reason, component) -> what to do, where the component says more than the reason alone."""


MEANS: Mapping[str, str] = {
    "telemetry_gap": "tokens were billed that no span shows",
    "no_operation_evidence": "no call at all in the slice, or a pod that none ran on",
    "identity_missing": "the call is known, its tenant is not",
    "identity_unverified": "who it claims to be was not signed as it must be",
    "no_driver": "the pool's driver has no quantities, or the policy asks none: idle kept visible, `driver: none`",
    "unmatched_charge": "no meter and no pool of the policy takes the charge",
    "unmounted": "a volume or balancer that no pod used",
    "unused_commitment": "commitment that was paid for and not used",
    "quarantined": "evidence that contradicts itself",
    EARLIER: "charges of days before `first_day`",
    "held": "a closed amount moved under `closed_period: hold`",
    "rounding": "dust below a quantum's share",
    "unmetered": "the call does not say what it used",
}
"""Reason -> what it means. docs/concepts.md has the same words, which a test holds."""


MEANS_OF_PART: Mapping[tuple[str, str], str] = {
    ("no_operation_evidence", "direct"): "no call at all in the slice",
    ("no_operation_evidence", "workload"): "a pod that no call ran on",
    ("no_driver", "shared"): "the pool's driver has no quantities, or it is `driver: none`",
    (
        "no_driver",
        "idle",
    ): "idle that the policy keeps visible, or whose driver has nothing to weigh",
    ("no_driver", "workload"): "OpenCost has no node for the charge, or no cost of one",
    (
        "no_driver",
        "overhead",
    ): "the driver of the fee has nothing to weigh, or it is `driver: none`",
}
"""(reason, component) -> what it means there, where the component says more than the reason alone."""


def meaning(reason: str, *components: str) -> str:
    """What a reason means; of rows of these components, what it means in each, in their order. Nothing for
    a word that is none."""
    general = MEANS.get(reason, "")
    of_parts = (MEANS_OF_PART.get((reason, component), general) for component in components)
    return "; ".join(dict.fromkeys(of_parts)) or general


def remedy(reason: str, component: str | None = None) -> str:
    """What to do about a reason; of rows of one component, what to do about these."""
    of_part = REMEDIES_OF_PART.get((reason, component or ""))
    return of_part or REMEDIES.get(reason, WHERE)
