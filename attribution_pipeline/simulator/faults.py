"""What can go wrong with the evidence of the company, by name.

Belongs here: the faults, which spans each withholds, how late an object is. Does not: what happened
(``traffic``): only retries and corrections are things that happen, every other fault changes what
reaches us and nothing else; how each is played (``instrumentation``, ``envelopes``, ``retries``,
``clocks``, ``drafts``, ``opencost``).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import numpy as np

DUPLICATES = "duplicates"
LOST_SPANS = "lost_spans"
DOUBLE_INSTRUMENTATION = "double_instrumentation"
LATE_SPANS = "late_spans"
FORGED_ENVELOPES = "forged_envelopes"
STRIPPED_ENVELOPES = "stripped_envelopes"
RETRIES_ACROSS_QUEUES = "retries_across_queues"
RESTATED_BILLS = "restated_bills"
CORRECTIONS = "corrections"
DUPLICATE_NODES = "duplicate_nodes"
UNIT_SCALE = "unit_scale"
CLOCK_SKEW = "clock_skew"
LOST_HOUR = "lost_hour"
UNKNOWN_NODE = "unknown_node"
SILENT_POD = "silent_pod"

TWELVE: dict[str, str] = {
    DUPLICATES: "exact duplicates of spans, uploaded again under new keys",
    LOST_SPANS: "2 % of all spans never arrive",
    DOUBLE_INSTRUMENTATION: "three in ten calls are seen by a second instrumentation or a gateway, "
    "and agents report the sum of their calls",
    LATE_SPANS: "whole objects of spans come up to 72 h late; truth/late.csv lists them",
    FORGED_ENVELOPES: "a quarter of the signed requests carry a forged or copied envelope that names "
    "another tenant",
    STRIPPED_ENVELOPES: "a fifth of the signed requests carry no envelope, half of them with "
    "another tenant's name",
    RETRIES_ACROSS_QUEUES: "requests are tried again by a shared worker, behind a queue, that says "
    "another tenant's name",
    RESTATED_BILLS: "every bill first comes with other amounts and without some rows",
    CORRECTIONS: "vendors correct past days in the next billing period",
    DUPLICATE_NODES: "OpenCost tells two nodes twice: one at two prices, one at about the same",
    UNIT_SCALE: "OpenCost's dollars of two nodes are 730 times too low and too high",
    CLOCK_SKEW: "the clocks of two nodes and of a collector are some minutes off",
}
"""The faults under which the goals of design page 40 must hold, alone and in pairs."""

FAULTS: dict[str, str] = {
    **TWELVE,
    LOST_HOUR: "no span that ends from 14:00 to 15:00 UTC of the middle day arrives",
    UNKNOWN_NODE: "OpenCost knows nothing of one billed node",
    SILENT_POD: "one pod's spans never arrive",
}

LOST_SHARE = 0.02
LOST_HOUR_OF_DAY = 14
HOUR_MS = 3_600_000
REPEATED_OBJECT_SHARE = 0.05
"""Objects uploaded twice, byte for byte (the collector got no answer)."""
REPEATED_SPAN_SHARE = 0.03
"""Spans that come again in other company (an agent retried a batch)."""
LATE_OBJECT_SHARE = 0.02
MAX_LATE_HOURS = 72


def late_hours(faults: frozenset[str], content: bytes) -> int:
    """How many hours late an object is uploaded, 0: on time. By its content, so that an object that
    is uploaded twice is late twice, and no other fault's luck changes."""
    luck = sha256(content).digest()
    if LATE_SPANS not in faults or luck[0] >= LATE_OBJECT_SHARE * 256:
        return 0
    return 1 + luck[1] % MAX_LATE_HOURS


def check(faults: Sequence[str]) -> frozenset[str]:
    """The faults asked for. Raises Refusal for a name that is none."""
    for name in faults:
        if name not in FAULTS:
            raise Refusal(
                f"`{name}` is no fault of the simulator", remedy=f"use one of: {', '.join(FAULTS)}"
            )
    return frozenset(faults)


def arrives(
    faults: frozenset[str],
    rng: np.random.Generator,
    end_ms: np.ndarray,
    pod: np.ndarray,
    *,
    lost_hour: tuple[int, int] | None,
    silent_pod: int,
) -> np.ndarray:
    """Which spans reach us. ``lost_hour``: first and end in unix ms, None on other days."""
    import numpy as np

    kept = np.ones(len(end_ms), dtype=bool)
    # drawn whether used or not, so that one fault does not change what another one loses
    luck = rng.random(len(end_ms))
    if LOST_SPANS in faults:
        kept &= luck >= LOST_SHARE
    if LOST_HOUR in faults and lost_hour is not None:
        kept &= (end_ms < lost_hour[0]) | (end_ms >= lost_hour[1])
    if SILENT_POD in faults:
        kept &= pod != silent_pod
    return kept
