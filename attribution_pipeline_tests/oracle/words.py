"""The oracle's nouns: evidence that goes in, charges, operations, ledger rows that come out.

Belongs here: plain records. Does not: any rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from attribution_pipeline.envelope import KeyRing
from attribution_pipeline.model.ledger import WHO

Record = Mapping[str, Any]
"""One landed record: a dict by the column names of ``model.evidence``, plus ``source``."""

Who = tuple[str | None, ...]
"""Values of the who-columns, in the order of ``model.ledger.WHO``."""

NOBODY: Who = (None,) * len(WHO)
QUANTA = 10**12
KINDS_OF_POD_COST = ("cpu", "gpu", "ram")


@dataclass(frozen=True)
class Evidence:
    """Landed records of every plane, and what the deployment file says of their sources.

    ``standing``: table -> source -> object ids that were not overwritten. A table or a source that
    is not named stands whole.
    """

    billing: Sequence[Record] = ()
    spans: Sequence[Record] = ()
    allocations: Sequence[Record] = ()
    assets: Sequence[Record] = ()
    usage: Sequence[Record] = ()
    kubernetes: Sequence[Record] = ()
    delivery: Mapping[str, str] = field(default_factory=dict)
    standing: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    keys: KeyRing = field(default_factory=KeyRing)
    """What envelopes on spans are verified with."""

    def of(self, table: str) -> list[Record]:
        """The records of a table whose object stands."""
        records = {
            "billing": self.billing,
            "spans": self.spans,
            "opencost_allocations": self.allocations,
            "opencost_assets": self.assets,
            "usage": self.usage,
            "kubernetes": self.kubernetes,
        }[table]
        stands = self.standing.get(table, {})
        return [
            record
            for record in records
            if record["source"] not in stands or record["object_id"] in stands[record["source"]]
        ]


class ChargeKey(NamedTuple):
    """What names a charge (page 10, "The charge-day"). Two lines alike in this are one charge."""

    issuer: str | None
    billing_account_id: str | None
    sub_account_id: str | None
    billing_period: date
    charge_day: date
    category: str | None
    charge_class: str | None
    currency: str | None
    service: str | None
    sku: str | None
    price_id: str | None
    resource_id: str | None
    region: str | None
    zone: str | None
    pricing_category: str | None
    commitment_id: str | None
    commitment_status: str | None
    native_id: str | None
    description: str | None


@dataclass(frozen=True)
class DayLine:
    """What of a line falls on the day: its list cost in quanta, its quantities, exactly."""

    line: Record
    list_cost: Fraction | None
    consumed: Fraction | None
    priced: Fraction | None


@dataclass(eq=False)
class Piece:
    """The lines of one charge and one tag set, taken by one rule, on one day.

    All of its lines share the columns that a rule may look at.
    """

    charge: ChargeKey
    tags: Mapping[str, str]
    rule: Any
    outside_range: bool
    billed: int = 0
    effective: int = 0
    lines: list[DayLine] = field(default_factory=list)

    @property
    def line(self) -> Record:
        return self.lines[0].line

    @property
    def principal(self) -> str | None:
        """Whom the bill itself names; all lines of a piece name the same."""
        found: str | None = self.line["PrincipalId"]
        return found

    @property
    def costs(self) -> tuple[int, int]:
        """Billed and effective, in quanta."""
        return self.billed, self.effective

    @property
    def list_cost(self) -> Fraction:
        """Quanta. Lines without a list cost add nothing."""
        return sum((part.list_cost or Fraction(0) for part in self.lines), Fraction(0))


class PodName(NamedTuple):
    """A pod as evidence names it. ``cluster`` is None on spans that do not say it."""

    cluster: str | None
    namespace: str | None
    pod: str | None


@dataclass(frozen=True, eq=False)
class Operation:
    """One billed call after its twins are merged. Times in ns since 1970.

    ``counted``: how many calls it stands for; more than one where spans were sampled.
    """

    key: tuple[str, ...]
    trace_id: str
    span_id: str
    end_ns: int
    active_from_ns: int
    active_to_ns: int
    provider: str | None
    model: str | None
    operation_name: str | None
    account: str | None
    region: str | None
    server_address: str | None
    metered: bool
    counted: int
    tokens: Mapping[str, int]
    who: Who
    caller: PodName | None
    server: PodName | None
    merged: str | None
    """Span ids of its other tellings, sorted, with a space between."""
    source: str
    """The rung of the ladder that said who."""
    verdict: str
    unverified: bool
    """Somebody was named who is not believed."""

    @property
    def reason(self) -> str | None:
        """Why its parts stay unallocated, where it is another than that nobody was named."""
        return "identity_unverified" if self.unverified else None


@dataclass
class Pod:
    """One pod's OpenCost costs (1e-5) by (cluster, node) and kind, and what may name its tenant."""

    name: PodName
    controller: str | None
    cost: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)


class Identity(NamedTuple):
    """What makes a row itself (``model.ledger.IDENTITY``)."""

    charge: ChargeKey
    component: str
    leg: str
    who: Who
    operation_name: str | None
    model: str | None
    token_kind: str | None
    reason: str | None


@dataclass
class Row:
    """One ledger row. Amounts in quanta. ``operations``: billed and effective part by operation."""

    identity: Identity
    basis: str
    confidence: str
    pool: str | None
    provider: str | None
    billed: int = 0
    effective: int = 0
    operations: dict[tuple[str, ...], list[int]] = field(default_factory=dict)


def quanta(value: Decimal | int) -> int:
    """DECIMAL(38,12) as an integer number of quanta."""
    exact = Fraction(value) * QUANTA
    assert exact.denominator == 1, f"{value} is finer than a quantum"
    return exact.numerator
