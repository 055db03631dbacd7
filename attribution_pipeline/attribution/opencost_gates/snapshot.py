"""Gates over the day's snapshot alone: quarantined nodes, and what else was noticed.

Belongs here: thresholds and the order of the passes. Does not: policy or bill (``labels``,
``bill``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.day import Finding
from attribution_pipeline.attribution.engine import sql_text
from attribution_pipeline.attribution.opencost_gates.scale import SMALLEST_FACTOR, named

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

WORTH = 1_000
"""A cent, in 1e-5: below it rounding to five decimals decides a price."""

OVER_ALLOCATION_PERCENT = 110
"""max(request, usage) of every container may be above its node by this much and be honest."""

RESOLUTION = timedelta(minutes=5)
"""OpenCost's default (ETL_RESOLUTION_SECONDS): what may be missing at each end of a run."""

_DAY_US = timedelta(days=1) // timedelta(microseconds=1)
_COVERED_US = _DAY_US - 2 * (RESOLUTION // timedelta(microseconds=1))


def gate(db: Session) -> list[Finding]:
    """Table ``nodes`` with ``quarantined`` and ``off_scale``, and the day's findings.

    Reads ``allocations`` once. In: what ``planes/snapshot_of_day`` and ``planes/pods`` leave.
    """
    db.run("gates/allocations", worth=str(WORTH))
    db.run("gates/nodes", scale=str(SMALLEST_FACTOR))
    query = sql_text("gates/findings").format(
        scale=SMALLEST_FACTOR, worth=WORTH, over=OVER_ALLOCATION_PERCENT, covered_us=_COVERED_US
    )
    scales = _mixed_scales(db)
    return [_with_conversion(Finding(*row), scales) for row in db.rows(query)]


def _with_conversion(found: Finding, scales: Mapping[str, str]) -> Finding:
    if found.check != "mixed_unit_scale":
        return found
    return replace(found, detail=f"{found.detail}; nearest conversion {scales[found.subject]}")


def _mixed_scales(db: Session) -> dict[str, str]:
    """Node to the conversion that its mixed prices look like."""
    return {
        subject: named(ratio)
        for subject, ratio in db.rows(
            "select * from (select coalesce(cluster, '') || '/' || node as subject, greatest("
            "coalesce(cpu_dearer, 0), coalesce(gpu_dearer, 0), coalesce(ram_dearer, 0), "
            "coalesce(cpu_cheaper, 0), coalesce(gpu_cheaper, 0), coalesce(ram_cheaper, 0)) as ratio "
            f"from gated_nodes) where ratio >= {SMALLEST_FACTOR}"
        )
    }
