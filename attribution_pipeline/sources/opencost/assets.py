"""One row of an ``/assets`` answer, gated and in units.

Belongs here: the Asset objects that OpenCost itself computes (Node, Disk, LoadBalancer), discounts
and adjustments. Does not: the envelope (``envelope``), which node is which billed resource.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attribution_pipeline.sources.opencost.values import (
    MIB,
    THOUSANDTH,
    Number,
    Window,
    exact_product,
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

ASSET_TYPES = ("Node", "Disk", "LoadBalancer")
"""What open source OpenCost's ComputeAssets inserts. Others are Kubecost's, no evidence here."""


def asset_row(row: Any, cluster: str | None) -> dict[str, Any]:
    """``row`` as a landed asset without its origin. Raises RecordRejected.

    A node's ``cpu_cost`` and ``ram_cost`` are after its discount (OpenCost gives them before it);
    ``gpu_cost`` has none. ``adjustment`` is folded into ``total_cost`` alone: OpenCost does not say
    which resource kind it adjusts. Disks and balancers have a total and no kinds.
    """
    if not isinstance(row, dict):
        raise RecordRejected("not_an_object", f"the asset is {type(row).__name__}, not an object")
    require_unique(row, "the asset")
    asset_type = text_or_none(row.get("type"), "type")
    if asset_type not in ASSET_TYPES:
        raise RecordRejected("unsupported_asset_type", f"the asset is a {asset_type}")
    properties = row.get("properties")
    if not isinstance(properties, dict):
        raise RecordRejected("not_an_object", "the asset has no properties")
    require_unique(properties, "properties")
    window_start, window_end = utc_day_window(row)
    minutes = run(row, window_start, window_end)[2]
    return {
        "window_start": window_start,
        "window_end": window_end,
        "cluster": cluster or text_or_none(properties.get("cluster"), "cluster"),
        "asset_type": asset_type,
        "name": text_or_none(properties.get("name"), "name"),
        "provider_id": text_or_none(properties.get("providerID"), "providerID"),
        "instance_type": text_or_none(row.get("nodeType"), "nodeType"),
        "minutes": plain_text(minutes),
        **_costs(row, asset_type),
        "gpu_count": plain_text(optional_number(row, "gpuCount")),
        "labels": json_text(row.get("labels"), "labels"),
        "cpu_millicore_hours": whole(row, "cpuCoreHours", THOUSANDTH),
        "ram_mib_hours": whole(row, "ramByteHours", MIB),
        # spelt so by OpenCost
        "gpu_milli_hours": whole(row, "GPUHours", THOUSANDTH),
        "rejected": None,
    }


def rejected_asset(
    row: Any, cluster: str | None, reason: str, otherwise: Window | None
) -> dict[str, Any] | None:
    """What is known of an asset that can't be used: its window (``otherwise`` where it can't be
    told) and names; None without a window, or where it would be no evidence if it were whole."""
    if not isinstance(row, dict) or row.get("type") not in ASSET_TYPES:
        return None
    window = window_or(row, otherwise)
    if window is None:
        return None
    properties = row.get("properties")
    said = properties if isinstance(properties, dict) else {}
    return {
        "window_start": window[0],
        "window_end": window[1],
        "cluster": cluster or text_if(said.get("cluster")),
        "asset_type": row["type"],
        "name": text_if(said.get("name")),
        "provider_id": text_if(said.get("providerID")),
        "instance_type": text_if(row.get("nodeType")),
        "rejected": reason,
    }


def _costs(row: dict[str, Any], asset_type: str) -> dict[str, int]:
    if "totalCost" not in row:
        raise RecordRejected("missing_cost", "the asset has no totalCost")
    total = number(row, "totalCost")
    parts = {"cpu_cost": Decimal(0), "gpu_cost": Decimal(0), "ram_cost": Decimal(0)}
    if asset_type == "Node":
        kept = exact_sum([Decimal(1), -Decimal(_discount(row))])
        parts = {
            "cpu_cost": exact_product(_not_negative(row, "cpuCost"), kept),
            "gpu_cost": Decimal(_not_negative(row, "gpuCost")),
            "ram_cost": exact_product(_not_negative(row, "ramCost"), kept),
        }
        adjustment = Decimal(number(row, "adjustment"))
        require_identity(total, exact_sum([*parts.values(), adjustment]))
    if total < 0:
        raise RecordRejected("negative_cost", f"totalCost is {total}")
    return {column: to_units(value) for column, value in (*parts.items(), ("total_cost", total))}


def _discount(row: dict[str, Any]) -> Number:
    discount = number(row, "discount")
    if not 0 <= discount <= 1:
        raise RecordRejected("discount_out_of_range", f"discount is {discount}, not within 0 and 1")
    return discount


def _not_negative(row: dict[str, Any], field: str) -> Number:
    value = number(row, field)
    if value < 0:
        raise RecordRejected("negative_cost", f"{field} is {value}")
    return value
