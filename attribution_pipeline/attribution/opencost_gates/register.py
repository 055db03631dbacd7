"""The register of known faults in OpenCost's data: what we ask, and what to do.

Belongs here: one entry a fault, with its upstream issues and the findings that show it. Does not:
the queries (``snapshot``, ``labels``, ``bill`` and ``sql/gates``).

Numbers are those of opencost/opencost unless another repository is named. docs/opencost-gates.md is
this table for people; a test keeps the two the same.
"""

from __future__ import annotations

from dataclasses import dataclass

REJECTED = "rejected_"
"""Findings on rejected rows are ``rejected_<reason>``."""


@dataclass(frozen=True)
class Item:
    """One known fault.

    ``findings``: names of findings that show it. ``effect``: what happens to the day when they do.
    ``held_by``: for a fault that only forbids something of us, where that is tested.
    """

    number: int
    name: str
    issues: tuple[str, ...]
    question: str
    effect: str
    remedy: str
    findings: tuple[str, ...] = ()
    held_by: str = ""


QUARANTINE = "The node's day is quarantined: its charge stays unallocated as `quarantined`."
ALERT = "Alert; the day is divided all the same."
PUBLISHED = "Published; nothing is ever scaled."
BY_DESIGN = "Held by design."

REGISTER = (
    Item(
        1, "duplicate_node", ("#3620", "#3113"),
        "Does each node have one identity and one price on the day?",
        "Within 1 % the filled instance_type is kept; an empty one alone is accepted and flagged; "
        "else the node's day is quarantined, with tenant totals under either identity.",
        "Find the second series of node_total_hourly_cost in Prometheus (an empty instance_type, or "
        "an address as node), drop it where it is scraped, and land the day again.",
        ("duplicate_node_identity", "several_node_identities", "address_as_node_name",
         "shared_provider_id", "unknown_instance_type", "rejected_conflicting_rows"),
    ),
    Item(
        2, "negative_idle", ("#3359", "#3387", "PR #3393", "#883"),
        "Do a node's workloads and idle add up to the node?",
        "Alert; idle is our own signed residual, never OpenCost's.",
        "Look for a second kube-state-metrics or a gap in the scrapes of that node.",
        ("node_tie_back",),
    ),
    Item(
        3, "row_outside_its_window", ("#3630", "PR #3599", "PR #3780"),
        "Does every row lie in its window, without a negative or unreadable cost?",
        "The row is rejected. If it costs anything, its node's day is quarantined: what it cost would "
        "look like idle.",
        "Query OpenCost again for the whole elapsed UTC day, or upgrade it.",
        ("rejected_outside_window", "rejected_negative_cost"),
    ),
    Item(
        4, "run_backwards", ("#4057",),
        "Does every row end after it starts?",
        "As item 3. A row without cost harms nobody and is counted.",
        "Query whole days: a window shorter than the resolution gives such rows.",
        ("rejected_negative_minutes", "rejected_ends_before_start", "rejected_unreadable_time"),
    ),
    Item(
        5, "day_not_covered", ("#2096", "#3036"),
        "Do a cluster's rows span the whole day, up to one resolution at each end?",
        "Alert; costs are weights and are never scaled by hours.",
        "See whether Prometheus ran all day; a cluster that was stopped for a while is right.",
        ("window_not_covered",),
    ),
    Item(
        6, "over_allocation", ("#1815",),
        "Do a node's pods cost no more than a tenth above the node, kind by kind?",
        "Alert. Idle is then negative, or pods are scaled to the node where the pool says "
        "`over_allocation: scale`.",
        "Set requests below capacity, or choose `over_allocation: scale` in the pool.",
        ("over_allocated",),
    ),
    Item(
        7, "usage_above_request", ("#3082", "#1702"),
        "Is a container charged for at least half of what it used?",
        ALERT,
        "Give these containers requests near their use, or upgrade OpenCost.",
        ("usage_above_request",),
    ),
    Item(
        8, "unpriced", ("#2777",),
        "Does everything that held resources cost something?",
        ALERT + " A node without price leaves its charge as `no_driver`.",
        "Give the node type a price in OpenCost's pricing configuration.",
        ("unpriced_row", "unpriced_node"),
    ),
    Item(
        9, "idle_fields", ("#3823",),
        "Are cpuCostIdle, gpuCostIdle and ramCostIdle left unread?",
        BY_DESIGN, "Nothing to do.",
        held_by="test_opencost_gates.py: test_the_idle_fields_of_a_row_change_nothing",
    ),
    Item(
        10, "label_precedence", ("#1748", "#28", "kubecost #2101"),
        "Do pod, workload and namespace of a dedicated workload name one tenant?",
        "The policy's `label_precedence` decides; the source that won is in the finding.",
        "Make the labels agree, or put the source that is right first in `label_precedence`.",
        ("label_precedence",),
    ),
    Item(
        11, "label_gap", ("#1412", "#1470", "kubecost #2222"),
        "Do all pods of a dedicated workload say their tenant, and the same one?",
        "Pods without it stay `no_operation_evidence` where no operation answers for them.",
        "Deliver a `kubernetes` snapshot with the workload's labels, or label its template.",
        ("label_gap",),
    ),
    Item(
        12, "label_collision", ("promutil.go",),
        "Is the tenant label the only one that sanitises to its name?",
        "The label spelt as in the policy counts, then the sanitised one.",
        "Rename one of the two labels.",
        ("label_collision",),
    ),
    Item(
        13, "gpu_rate", ("#2901", "#2657", "#2215", "#1938", "#3160"),
        "Does a GPU-hour cost pods what it costs their node, and not nothing?",
        ALERT,
        "Check gpu prices and the gpu label in OpenCost's pricing configuration.",
        ("gpu_rate", "gpu_unpriced"),
    ),
    Item(
        14, "fractional_gpu", ("#3828", "HAMi #3073", "PR #2447"),
        "Do a node's pods hold no more GPU-hours than it has?",
        ALERT,
        "Shared GPUs are charged whole by OpenCost: use renameByDefault, or a pool driven by "
        "gpu_time.",
        ("gpu_over_allocated",),
    ),
    Item(
        15, "inference_usage_basis", ("#3900",),
        "Is no utilisation taken from /inferenceCost?",
        BY_DESIGN, "Nothing to do.",
        held_by="test_opencost_gates.py: test_an_inference_cost_answer_is_no_evidence",
    ),
    Item(
        16, "uid_alone", ("#4041", "PR #4040"),
        "Is a pod never joined by its uid alone?",
        BY_DESIGN, "Nothing to do.",
        held_by="test_opencost_gates.py: test_namesakes_in_two_namespaces_and_clusters_stay_apart",
    ),
    Item(
        17, "pod_by_name", ("#991", "#1110", "#1131"),
        "Are pods joined by cluster, namespace, name and day?",
        BY_DESIGN, "Nothing to do.",
        held_by="test_opencost_gates.py: test_namesakes_in_two_namespaces_and_clusters_stay_apart",
    ),
    Item(
        18, "against_the_bill", ("#3894", "#2162", "#2640", "#3226", "#3259", "#2906"),
        "How far is OpenCost's cost of a node type from its bill?",
        PUBLISHED + " Costs on another unit scale fail by name.",
        "A price that is off by 24, 720, 730, 744 or 1024 is an hourly, daily or monthly one in the "
        "wrong place, or a wrong unit: correct it in OpenCost, and land the day again.",
        ("unit_scale_suspect", "mixed_unit_scale"),
    ),
    Item(
        19, "cluster_label", ("#3474",),
        "Does every cluster have both answers, and more than volumes in them?",
        ALERT,
        "Give Prometheus, kube-state-metrics and OpenCost one cluster id, or name it under "
        "`cluster:` of the source.",
        ("cluster_mismatch", "only_volumes"),
    ),
    Item(
        20, "timeouts", ("#2473", "#1841", "#1693", "#2637"),
        "Was no answer an error or half an answer?",
        "Such an object is refused whole and replaces nothing.",
        "Ask for one day and one cluster a query, with a timeout of minutes; land the answer again.",
        ("answer_refused",),
    ),
    Item(
        21, "node_without_allocation", ("AggregateBy",),
        "Does every billed node have an allocation, and every allocation a node?",
        "A billed node that OpenCost doesn't know stays `no_driver`; one without pods is all idle.",
        "Name the node under `nodes:`, match its charge in a pool with `split: opencost`, or land its "
        "cluster's snapshot.",
        ("node_without_allocation", "pod_without_node", "charge_without_node",
         "node_without_charge"),
    ),
)  # fmt: skip
"""Section 4 of the facts on OpenCost, whole."""

_ITEM_OF = {finding: item for item in REGISTER for finding in item.findings}
_OTHER_REJECTED = REGISTER[2]


def item_of(finding: str) -> Item | None:
    """The entry that a finding belongs to; None for findings on anything but OpenCost."""
    found = _ITEM_OF.get(finding)
    if found is None and finding.startswith(REJECTED):
        return _OTHER_REJECTED
    return found
