"""What goes into a day and what comes out of it.

Belongs here: the values that the planes and the engine pass to each other. Does not: any rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_UNITS = {
    **{"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40},
    **{"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12},
}
"""Of a limit of memory, without the final B."""


@dataclass(frozen=True)
class Landed:
    """Landed evidence that a day may read.

    ``files``: landed table name -> Parquet paths, each with a ``source`` column in front.
    ``current_objects``: table -> source -> the object ids that stand, older to newer.
    Billing files are all of them (which delivery stands is decided over whole billing periods);
    of the other tables those that touch the day or its neighbours suffice.
    """

    files: Mapping[str, Sequence[str]]
    current_objects: Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class SourceFacts:
    """What the deployment file says of sources: ``delivery`` (replace or append) by billing source."""

    delivery: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spark:
    """Where a day is computed instead of here: a ``master``, or a Spark Connect address ``remote``.

    ``conf``: Spark's own settings, as pairs, for a session that this process starts.
    """

    master: str | None = None
    remote: str | None = None
    conf: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Compute:
    """What one day may use of the machine. The result never depends on it."""

    threads: int = 2
    memory_limit: str = "4GB"
    temp_directory: str = ""
    spark: Spark | None = None
    """Planes and whole days go there. DuckDB reads, proves, and follows late evidence either way."""

    @property
    def memory_bytes(self) -> int:
        """``memory_limit``, which is written as DuckDB spells it: ``4GB``, ``512MiB``, ``1.5 GiB``."""
        text = self.memory_limit.replace(" ", "").removesuffix("B")
        unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
        return int(Decimal(text.removesuffix(unit)) * _UNITS.get(unit, 1))


@dataclass(frozen=True)
class Finding:
    """One thing that a gate or a check noticed: never dropped, always counted."""

    check: str
    severity: str  # "error" | "warn"
    subject: str
    detail: str


@dataclass(frozen=True)
class Plane:
    """One plane's evidence of one day: Parquet files by table, and the digest of its records."""

    name: str
    files: Mapping[str, Sequence[str]]
    digest: str
    rows: Mapping[str, int]
    findings: Sequence[Finding] = ()


@dataclass(frozen=True)
class Previous:
    """The recorded state that a new one follows: what its rows were and what they came from.

    ``files``: Parquet files by table of ``ledger``, ``operation_costs``, ``operations`` and
    ``variances``. ``settled``: the ``closes`` plane's table of that state. ``inputs``: plane name
    to digest.
    """

    files: Mapping[str, Sequence[str]]
    settled: Sequence[str]
    inputs: Mapping[str, str]
    policy_digest: str
    kernel: str
    hashes: bytes = b""
    """The hashes that its content digest is of, in order; empty where they are not at hand."""


@dataclass(frozen=True)
class Outcome:
    """A reconciled day, not yet published.

    ``files``: Parquet files by published table, sorted, without ``charge_date``, which is the
    partition: new ones, and files of the previous state that still stand. ``ledger_revisions``
    holds the changes of this state alone. ``tie_out``: see
    ``tie_out.sql``; one row per currency and cost. ``coverage``: one row per meter slice.
    ``unheld_digest``: the content digest of what the ledger would be if nothing were held.
    """

    files: Mapping[str, Sequence[str]]
    content_digest: str
    unheld_digest: str
    rows: Mapping[str, int]
    totals: Sequence[Mapping[str, Any]]
    tie_out: pa.Table
    coverage: pa.Table
    findings: Sequence[Finding]
    stats: Mapping[str, Any]
    adds_to: frozenset[str] = frozenset()
    """Tables whose files stand beside the previous state's, not in their place."""
    causes: Mapping[str, int] = field(default_factory=dict)
    """Changed rows by cause."""
    hashes: bytes = field(default=b"", repr=False)
    """The hashes that ``content_digest`` is of, in order; empty where they are not at hand."""
