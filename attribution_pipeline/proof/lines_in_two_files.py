"""Lines of a bill that stand in two files: the bill was probably sent again, and counts twice.

Belongs here: finding them in a recorded day. Does not: which delivery stands (``attribution.billing``),
the words of the check (``orchestration.checks.alerts``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.proof.passes import sql

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.lake.landed import LandedView
    from attribution_pipeline.lake.landed.records import ObjectRecord

BILLING = "billing"
"""The kind of sources that deliver bills."""


@dataclass(frozen=True)
class Repeated:
    """Files that hold the same lines. ``lines`` and costs: of the copies beyond the first, on the
    recorded day; a line that is cut counts with each of its days."""

    source: str
    billing_account_id: str
    billing_currency: str
    files: tuple[str, ...]
    """Paths in the source; of a delivery with a manifest its name."""
    lines: int
    billed_cost: Decimal
    effective_cost: Decimal


def lines_in_two_files(
    charges: Sequence[str], landed: LandedView, compute: Compute
) -> list[Repeated]:
    """Dearest first. ``charges``: the verified files of the day's charges.

    Files that one manifest names are one delivery that the vendor vouches for: lines that repeat among
    them are the vendor's own. Files in a folder without a manifest are one delivery by
    docs/decisions/0005 alone, and a bill that was put beside its older copy looks the same.
    """
    import pyarrow as pa

    from attribution_pipeline.attribution.billing import ORIGIN_COLUMNS
    from attribution_pipeline.attribution.engine import session

    with session(compute) as db:
        db.view("charges", charges)
        objects = db.rows("select distinct source, object_id, delivery from charges order by all")
        if len(objects) < 2:
            return []
        units, names = _units(objects, landed)
        columns = [pa.array(column) for column in zip(*units, strict=True)]
        db.load("units", pa.table(columns, ["source", "object_id", "delivery", "unit"]))
        said = ", ".join(f'n."{name}"' for name in db.columns("charges")
                         if name not in ORIGIN_COLUMNS)  # fmt: skip
        return [
            Repeated(source, account, currency, tuple(names[unit] for unit in found), *amounts)
            for source, account, currency, found, *amounts in db.rows(
                sql("lines_in_two_files").format(said=said)
            )
        ]


def _units(
    objects: Sequence[tuple[Any, ...]], landed: LandedView
) -> tuple[list[tuple[str, str, str, int]], list[str]]:
    """Each object with the number of its unit, and what people call the units."""
    records = {source: _records(landed, source) for source in {found[0] for found in objects}}

    def path_of(found: tuple[Any, ...]) -> str:
        record = records[found[0]].get(found[1:])
        return found[1] if record is None else record.path

    numbers: dict[tuple[str, ...], int] = {}
    units: list[tuple[str, str, str, int]] = []
    names: list[str] = []
    for source, object_id, delivery in sorted(objects, key=path_of):
        record = records[source].get((object_id, delivery))
        vouched = record is not None and _is_vouched(record)
        key = (source, delivery) if vouched else (source, delivery, object_id)
        if key not in numbers:
            numbers[key] = len(names)
            path = path_of((source, object_id, delivery))
            names.append(f"delivery {delivery}" if vouched else path)
        units.append((source, object_id, delivery, numbers[key]))
    return units, names


def _records(landed: LandedView, source: str) -> Mapping[tuple[str, str], ObjectRecord]:
    """Under which path each content of each delivery lies now, or lay last."""
    met = landed.objects(BILLING, source)
    now = landed.newest(BILLING, source).values()
    return {(record.object_id, record.delivery): record for record in (*met, *now)}


def _is_vouched(record: ObjectRecord) -> bool:
    """Whether a manifest, or the receipt of a pull, says what belongs to its delivery."""
    from attribution_pipeline.sources.focus.deliveries import is_of_manifest
    from attribution_pipeline.sources.vendor_costs.deliveries import IS_RUN

    if IS_RUN.fullmatch(record.delivery.rpartition("/")[2]):
        return True
    return is_of_manifest(record.path, record.delivery, record.delivery_order)
