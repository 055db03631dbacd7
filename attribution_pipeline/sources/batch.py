"""What every reader gives: rows of one landed table, and the records that it could not read.

Belongs here: the shape that readers and landing share. Does not: any format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa


@dataclass(frozen=True)
class Rejected:
    """One record that could not be read. Position counts from 1; 0 is the object as a whole."""

    position: int
    reason: str
    """A stable snake_case word: it is counted and scripted against."""
    detail: str
    """What was found and what to do, on one line; never the content of a prompt."""


@dataclass
class Batch:
    """Rows of one landed table out of one object. An object may yield many."""

    table: str
    """Key of ``model.evidence.SCHEMAS``."""
    rows: pa.Table
    """That schema exactly, ``object_id`` and ``position`` filled; may be empty."""
    rejected: list[Rejected] = field(default_factory=list)
    rounding_moved: Decimal = Decimal(0)
    """Billing: sum of |rounded - exact| at the door."""
