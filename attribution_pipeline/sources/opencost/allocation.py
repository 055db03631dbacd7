"""One row of an ``/allocation`` answer, gated and in units.

Belongs here: the Allocation object (opencost core/pkg/opencost/allocation_json.go), its special
names, its container grain. Does not: the envelope (``envelope``), what a weight divides.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attribution_pipeline.sources.jsontext import sorted_json
from attribution_pipeline.sources.opencost.values import (
    MIB,
    THOUSANDTH,
    Window,
    cost,
    exact_sum,
    json_text,
    number,
    optional_number,
    plain_text,
    require_identity,
    require_unique,
    run,
    text_if,
    text_or_none,
    to_units,
    utc_day_window,
    whole,
    window_or,
)
from attribution_pipeline.sources.rejection import RecordRejected

SPECIAL_NAMES = {
    "__idle__": "idle",
    "__unmounted__": "unmounted",
    "__unallocated__": "unallocated",
}
"""OpenCost's synthetic rows, recognised as it does: anywhere in the name. First match wins."""

SHARED_NAMES = ("__shared__", "__external__")

_PV_KEY = re.compile(r"^cluster=(?P<cluster>.*?):name=(?P<name>.+)$", re.DOTALL)

_PROPERTIES = {
    "cluster": "cluster",
    "node": "node",
    "provider_id": "providerID",
    "namespace": "namespace",
    "controller_kind": "controllerKind",
    "controller": "controller",
    "pod": "pod",
    "container": "container",
}
_LABELS = {
    "labels": "labels",
    "annotations": "annotations",
    "namespace_labels": "namespaceLabels",
    "namespace_annotations": "namespaceAnnotations",
}
_QUANTITIES = {
    "cpu_millicore_hours": ("cpuCoreHours", THOUSANDTH),
    "ram_mib_hours": ("ramByteHours", MIB),
    "gpu_milli_hours": ("gpuHours", THOUSANDTH),
    "cpu_millicore_usage": ("cpuCoreUsageAverage", THOUSANDTH),
    "ram_mib_usage": ("ramByteUsageAverage", MIB),
}
_COSTS = {
    "cpu_cost": "cpuCost",
    "gpu_cost": "gpuCost",
    "ram_cost": "ramCost",
    "pv_cost": "pvCost",
    "lb_cost": "loadBalancerCost",
    "network_cost": "networkCost",
}


def allocation_row(key: str, row: Any, cluster: str | None) -> dict[str, Any]:
    """``row`` as a landed allocation without its origin. Raises RecordRejected.

    Costs are cost + costAdjustment in units of 1e-5, half-even. ``*CostIdle`` and
    ``networkCross*`` are parts of other fields, never added. ``cluster`` is the deployment's word
    and overrides the answer's.
    """
    if not isinstance(row, dict):
        raise RecordRejected("not_an_object", f"the row is {type(row).__name__}, not an object")
    require_unique(row, "the row")
    properties = row.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    require_unique(properties, "properties")
    landed: dict[str, Any] = {
        column: text_or_none(properties.get(name), name) for column, name in _PROPERTIES.items()
    }
    landed["cluster"] = cluster or landed["cluster"]
    name = str(row.get("name") or key)
    kind = landed["row_kind"] = _row_kind(name)
    if kind == "workload" and (landed["pod"] is None or landed["container"] is None):
        raise RecordRejected(
            "not_container_grain",
            "the row names no pod and container: it was aggregated; query without aggregate",
        )
    window_start, window_end = utc_day_window(row)
    started, ended, minutes = run(row, window_start, window_end)
    landed.update(
        window_start=window_start,
        window_end=window_end,
        started_at=started,
        ended_at=ended,
        minutes=plain_text(minutes),
        gpu_hours=plain_text(optional_number(row, "gpuHours")),
        **_costs(row, signed=kind == "idle"),
        **{column: json_text(properties.get(name), name) for column, name in _LABELS.items()},
        volumes=_volumes(row),
        balancers=_balancers(row),
        **{column: whole(row, field, unit) for column, (field, unit) in _QUANTITIES.items()},
        rejected=None,
    )
    return landed


def rejected_allocation(
    key: str, row: Any, cluster: str | None, reason: str, otherwise: Window | None
) -> dict[str, Any] | None:
    """What is known of a row that can't be used: its window (``otherwise`` where it can't be told),
    names, costs of a node's kinds as far as they can be read; None without a window."""
    if not isinstance(row, dict):
        return None
    window = window_or(row, otherwise)
    try:
        kind = _row_kind(str(row.get("name") or key))
    except RecordRejected:
        return None
    if window is None:
        return None
    properties = row.get("properties")
    said = properties if isinstance(properties, dict) else {}
    names = {column: text_if(said.get(name)) for column, name in _PROPERTIES.items()}
    return {
        **names,
        "cluster": cluster or names["cluster"],
        "window_start": window[0],
        "window_end": window[1],
        "row_kind": kind,
        **_readable_costs(row),
        "rejected": reason,
    }


def _readable_costs(row: dict[str, Any]) -> dict[str, int]:
    found = {}
    for column in ("cpu_cost", "gpu_cost", "ram_cost"):
        with contextlib.suppress(RecordRejected):
            found[column] = to_units(cost(row, _COSTS[column], signed=True))
    return found


def allocation_identity(landed: Mapping[str, Any]) -> tuple[Any, ...]:
    """What one answer may say only once: a container (or synthetic row) of a window.

    Apart from the name: two names for one container are the duplicate that must be noticed.
    """
    return tuple(
        landed[column]
        for column in (
            "window_start", "row_kind", "cluster", "node", "provider_id", "namespace",
            "pod", "container",
        )
    )  # fmt: skip


def _row_kind(name: str) -> str:
    for shared in SHARED_NAMES:
        if shared in name:
            raise RecordRejected(
                "shared_row", f"the row is {shared}: query with shareIdle=false, unshared"
            )
    for special, kind in SPECIAL_NAMES.items():
        if special in name:
            return kind
    return "workload"


def _costs(row: Mapping[str, Any], *, signed: bool) -> dict[str, int]:
    if "totalCost" not in row:
        raise RecordRejected("missing_cost", "the row has no totalCost")
    parts = {column: cost(row, field, signed=signed) for column, field in _COSTS.items()}
    shared = [Decimal(number(row, field)) for field in ("sharedCost", "externalCost")]
    require_identity(number(row, "totalCost"), exact_sum([*parts.values(), *shared]))
    if any(shared):
        raise RecordRejected(
            "shared_cost",
            "sharedCost or externalCost is not zero: shared cost is divided by the policy, once",
        )
    return {column: to_units(value) for column, value in parts.items()}


def _volumes(row: Mapping[str, Any]) -> str | None:
    """``pvs``: keyed ``cluster=X:name=Y``, full floats, unlike pvCost (never rounded upstream)."""
    volumes = _members(row, "pvs")
    if volumes is None:
        return None
    found = []
    for key, volume in volumes:
        match = _PV_KEY.match(key)
        found.append({"name": match["name"] if match else key, "cost": _member_cost(volume, "pvs")})
    return _sorted_list(found)


def _balancers(row: Mapping[str, Any]) -> str | None:
    """``lbAllocations``: named by service, else by key."""
    balancers = _members(row, "lbAllocations")
    if balancers is None:
        return None
    found = []
    for key, balancer in balancers:
        units = _member_cost(balancer, "lbAllocations")
        found.append(
            {"name": text_or_none(balancer.get("service"), "service") or key, "cost": units}
        )
    return _sorted_list(found)


def _members(row: Mapping[str, Any], field: str) -> list[tuple[str, Any]] | None:
    value = row.get(field)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise RecordRejected("not_an_object", f"{field} is {type(value).__name__}, not an object")
    require_unique(value, field)
    return list(value.items())


def _member_cost(member: Any, field: str) -> int:
    if not isinstance(member, dict):
        raise RecordRejected("not_an_object", f"a member of {field} is no object")
    require_unique(member, field)
    plain, adjustment = number(member, "cost"), number(member, "adjustment")
    units = to_units(exact_sum([Decimal(plain), Decimal(adjustment)]))
    if units < 0:
        raise RecordRejected("negative_cost", f"a member of {field} costs {plain}")
    return units


def _sorted_list(found: list[dict[str, Any]]) -> str:
    return sorted_json(sorted(found, key=lambda member: (member["name"], member["cost"])))
