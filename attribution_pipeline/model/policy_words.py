"""The formulas in words, each with a worked line that the formula itself computes.

Belongs here: one text per formula, driver and choice; the policy's runbook and the docs use the
same ones. Does not: the formulas (``division``), how a runbook is laid out (``policy_text``).
"""

from __future__ import annotations

from collections.abc import Callable

from attribution_pipeline.model.division import largest_remainder, open_rest
from attribution_pipeline.model.money import QUANTA_PER_UNIT, to_text

PART = "`part = amount x w / D`, truncated toward zero, and the rest goes to one place"

ORDER = (
    "**Meters**: charges that operations meter, by tokens.",
    "**Pools** without `component: overhead`, in the order of the file.",
    "**Tags**: a charge whose own tag names a tenant and that no meter or driver pool took. What "
    "no rule takes is `unmatched_charge`.",
    "**Idle**: what no pod used.",
    "**Overhead** pools. The bases of `cost` drivers freeze before them; every unallocated reason "
    "carries its own share.",
)
TAGGED_FIRST = "In pools with `tagged: first`, a tag that names a tenant goes before the driver."

EVIDENCE_GAP = {
    "keep_unallocated": "Billed tokens that no operation shows stay unallocated, `telemetry_gap`.",
    "spread": "Billed tokens that no operation shows are spread over the slice's operations, in "
    "rows of their own (leg `spread`), `estimated`.",
}
DIRECTION = {
    "allocate_to_operations": "The bill is divided over operations.",
    "roll_up_operations": "Operations are priced at the slice's list unit price; the signed gap to "
    "the bill is shown.",
}
OVER_ALLOCATION = {
    "show": "over-allocation shows as negative idle",
    "scale": "over-allocation is scaled down to the node",
}
WITHIN = {
    "account": "base: costs within the billing account",
    "all": "base: costs of all accounts of the currency",
}
CLOSED_PERIOD = {
    "restate": "In a closed period, late evidence restates the row: the same row, its next "
    "revision, the delta on record.",
    "hold": "In a closed period the distribution is frozen: late evidence is booked as "
    "investigative variance, and a change by the vendor stands in one row, `held`.",
}
REVISIONS = (
    "A row that late evidence changes keeps its id and gets its next `revision`; what it was, what "
    "it is and why stand in `ledger_revisions`. A row that evidence no longer supports stays at "
    "zero. Every earlier state can be read: `attribution ledger --as-of TIME`."
)
POLICY_CHANGE = (
    "This version governs charge days from its effective day on, until a version that takes effect "
    "later, or the same day under a higher number. Over a recorded day with settled charges a new "
    "version reaches back only by force (`attribution run --force`), and the ledger says so."
)
LATE_UNDER_A_METER = (
    "Late operations under a meter move money from the open row to their own rows and touch no "
    "other row of the slice, as long as the tokens seen stay at or under the tokens billed."
)


PHASES = {
    "shared": "a shared pool (`component: shared`, the default)",
    "idle": "idle",
    "overhead": "`component: overhead`",
}
"""Where a driver may be asked, in words."""
BEFORE = {
    "shared": "meters alone (no pods, no pools, no idle)",
    "idle": "meters, pods, shared pools, tags and what no rule takes (no idle)",
    "overhead": "everything that is not overhead (meters, pods, shared pools, tags, idle, what no rule takes)",
}
"""Phase to what stands in the ledger before it, and is all that ``cost`` and ``even`` look at there:
``attribution.reconcile.divide_the_rest`` freezes it before phases 2, 4 and 5."""
BY_PHASE = ("cost", "even")
"""Drivers that weigh by what stands before their phase."""

IDENTITY_STEPS = {
    "attributes": "the call's own span: `attribution.*`, then `join.attributes`. A verified envelope needs no step",
    "ancestor": "the nearest span above it in the trace that says so",
    "link": "what the call follows: the issuance that a retry names, then span links",
    "run": "other spans of the same run (`attribution.run_id`), where they agree",
    "workload": "the label of a pod that `join.dedicated` declares; of its calls and of its own cost",
    "resource_tag": "the charge's own tag `join.tenant_tag`, where no meter and no driver pool took it",
}
"""Step of `join.identity` to who answers there."""


def formulas() -> list[tuple[str, str, str]]:
    """(kind, formula, worked line) of the three ways to divide."""
    return [
        (
            "meter",
            "w: tokens of the operation; D: the larger of tokens billed (Q) and tokens seen (E). "
            "The rest stays open: `telemetry_gap`, or `rounding` when E is at least Q",
            _meter_line(),
        ),
        (
            "node",
            "first over cpu, gpu and ram by what OpenCost's asset costs of each; then each kind "
            "over pods, w: the pod's cost of that kind, D: the asset's. The rest is `idle`, signed",
            _node_line(),
        ),
        (
            "share",
            "w: the driver's quantity; D: the sum of w. Leftover quanta go one each to the largest "
            "remainders, ties to the smaller key",
            _share_line(),
        ),
    ]


def driver(word: str, phase: str = "shared") -> tuple[str, str]:
    """(what weighs, worked line) of one driver, where ``phase`` asks it: see ``PHASES``."""
    if word.startswith("usage."):
        metric = word.removeprefix("usage.")
        return (
            f"`{metric}` of the usage report for the charge's service and resource",
            _shares({"acme": 30, "globex": 10}, metric),
        )
    weighs, worked = _DRIVERS[word]
    if word in BY_PHASE:
        weighs = weighs.format(BEFORE[phase])
    return weighs, worked()


def _meter_line() -> str:
    parts, rest = open_rest(10 * QUANTA_PER_UNIT, {"a": 300_000}, 1_000_000)
    return (
        "10 billed for Q = 1,000,000; an operation with 300,000 tokens pays 10 x 300,000 / "
        f"1,000,000 = {short(parts['a'])}; with nothing else seen, {short(rest)} stays open"
    )


def _node_line() -> str:
    kinds = largest_remainder(24 * QUANTA_PER_UNIT, {"cpu": 10, "gpu": 12, "ram": 2})
    parts, rest = open_rest(kinds["gpu"], {"pod": 9}, 12)
    return (
        "24 billed over cpu 10, gpu 12, ram 2: gpu has "
        f"{short(kinds['gpu'])}; a pod with 9 of the gpu's 12 pays {short(parts['pod'])}, "
        f"{short(rest)} is idle"
    )


def _share_line() -> str:
    parts = largest_remainder(QUANTA_PER_UNIT, {"a": 1, "b": 1, "c": 1})
    return f"1 over three equal weights: {', '.join(to_text(part) for part in parts.values())}"


def _shares(weights: dict[str, int], unit: str) -> str:
    parts = largest_remainder(100 * QUANTA_PER_UNIT, weights)
    shown = " and ".join(f"{name} with {weight:,}" for name, weight in weights.items())
    paid = ", ".join(short(part) for part in parts.values())
    return f"100 over {shown} {unit}: {paid}".replace(" :", ":")


def short(quanta: int) -> str:
    """An amount with at least two decimals and no further trailing zeros."""
    whole, _, decimals = to_text(quanta).partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


_DRIVERS: dict[str, tuple[str, Callable[[], str]]] = {
    "tokens": (
        "all tokens of the operation, every bucket once",
        lambda: _shares({"acme": 900_000, "globex": 100_000}, "tokens"),
    ),
    "requests": (
        "one for each operation",
        lambda: _shares({"acme": 3, "globex": 1}, "operations"),
    ),
    "active_time": (
        "milliseconds in which the operation was active on that day",
        lambda: _shares({"acme": 30_000, "globex": 10_000}, "ms"),
    ),
    "gpu_time": (
        "active milliseconds of operations on pods that have a gpu",
        lambda: _shares({"acme": 45_000, "globex": 15_000}, "ms"),
    ),
    "cost": (
        "the settlement metric of Usage rows of {}; corrections left out, per tenant and per "
        "unallocated reason, floored at zero",
        lambda: _shares({"acme": 60, "globex": 30, "telemetry_gap": 10}, "of cost"),
    ),
    "even": (
        "one for each tenant with a row of {}",
        lambda: _shares({"acme": 1, "globex": 1}, ""),
    ),
    "fixed": (
        "the percentages of the policy",
        lambda: _shares({"acme": 60, "globex": 40}, "percent"),
    ),
    "none": ("nothing: the pool stays visible and unallocated, `no_driver`", lambda: ""),
}  # fmt: skip
