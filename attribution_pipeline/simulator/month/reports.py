"""The month's other evidence: OpenCost snapshots, usage reports, close records.

Belongs here: their bytes, final and wrong. Does not: when they come (``lateness``).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

import orjson

from attribution_pipeline.simulator import opencost
from attribution_pipeline.simulator.month import company
from attribution_pipeline.simulator.month.company import TENANTS
from attribution_pipeline.simulator.month.happenings import Month, Used


def snapshot_paths(day: date, corrected: bool = False) -> tuple[str, str]:
    """Where the day's ``/allocation`` and ``/assets`` answers lie. A correction may have a path of
    its own; it must sort after the first, for where both land at once the later path is newer."""
    late = "_corrected" if corrected else ""
    return f"opencost/allocation-{day}{late}.json", f"opencost/assets-{day}{late}.json"


def snapshot(month: Month, day: date, wrong: random.Random | None = None) -> tuple[bytes, bytes]:
    """The two answers. ``wrong``: pods held something else than they did, says this one."""
    clusters = company.clusters()
    if wrong is not None:
        for pod in clusters.pods:
            pod.containers = [
                replace(found, mcpu=found.mcpu * wrong.choice((50, 80, 100, 115)) // 100)
                for found in pod.containers
            ]
    number = month.days.index(day)
    return (
        orjson.dumps(
            opencost.allocation(clusters, company.CLUSTER, day, number, opencost.Snapshots())
        ),
        orjson.dumps(opencost.assets(clusters, company.CLUSTER, day, opencost.Snapshots())),
    )


def usage_path(day: date) -> str:
    """Where the day's report lies."""
    return f"usage/usage-{day}.csv"


def usage(rows: Iterable[Used]) -> bytes:
    """A usage report."""
    lines = ["date,service,resource_id,tenant_id,workflow_id,metric,quantity"]
    for row in rows:
        tenant = "" if row.tenant is None else TENANTS[row.tenant]
        said = (
            row.day,
            "Pinecone",
            "index-small",
            tenant,
            row.workflow,
            "query_units",
            row.quantity,
        )
        lines.append(",".join(map(str, said)))
    return ("\n".join(lines) + "\n").encode()


def close(issuer: str, account: str, period: date, closed_at: datetime, status: str) -> bytes:
    """One close record."""
    return (
        "issuer,account,period,closed_at,status\n"
        f'"{issuer}",{account},{period:%Y-%m},{closed_at:%Y-%m-%dT%H:%M:%SZ},{status}\n'
    ).encode()
