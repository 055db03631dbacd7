"""The day's rows while they are written down, and the words that a row's circumstances give it.

Belongs here: adding up rows of equal identity, basis, confidence and reason of a row. Does not:
who gets what.
"""

from __future__ import annotations

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline_tests.oracle.words import (
    NOBODY,
    Identity,
    Operation,
    Piece,
    Row,
    Who,
)

TENANT = WHO.index("tenant_id")


PRINCIPAL = WHO.index("principal_id")


def tenant_alone(tenant: str) -> Who:
    return tuple(tenant if position == TENANT else None for position in range(len(WHO)))


def billed_to(tenant: str | None, piece: Piece) -> Who:
    """Whom a charge names itself: the tenant of its tag, the bill's principal."""
    said = {TENANT: tenant, PRINCIPAL: piece.principal}
    return tuple(said.get(position) for position in range(len(WHO)))


class Book:
    """The rows written so far. Rows of equal identity are one row."""

    def __init__(self) -> None:
        self._rows: dict[Identity, Row] = {}

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def identity(
        self, piece: Piece, component: str, leg: str, who: Who, *,
        operation_name: str | None = None, model: str | None = None,
        token_kind: str | None = None, reason: str | None = None,
    ) -> Identity:  # fmt: skip
        """The row that a part goes to. A part whose tenant is unknown says so."""
        if reason is None and who[TENANT] is None:
            reason = "identity_missing"
        return Identity(
            piece.charge, component, leg, who, operation_name, model, token_kind, reason
        )

    def write(
        self, piece: Piece, identity: Identity, basis: str, costs: tuple[int, int], *,
        confidence: str = "allocated", pool: str | None = None,
        operation: Operation | None = None,
    ) -> None:  # fmt: skip
        """Add a part. ``confidence`` is what a row with a known tenant has.

        A sampled call is an estimate of the calls that it stands for, and so is its row.
        """
        if operation is not None and operation.counted > 1:
            confidence = "estimated"
        row = self._rows.get(identity)
        if row is None:
            confident = "unallocated" if identity.reason is not None else confidence
            row = Row(identity, basis, confident, pool, piece.line["ProviderName"])
            self._rows[identity] = row
        if confidence == "estimated" and identity.reason is None:
            row.confidence = confidence
        assert row.basis == basis, f"two bases in one row: {identity}"
        row.billed += costs[0]
        row.effective += costs[1]
        if operation is not None:
            parts = row.operations.setdefault(operation.key, [0, 0])
            parts[0] += costs[0]
            parts[1] += costs[1]

    def leave_open(
        self, piece: Piece, component: str, reason: str, costs: tuple[int, int], *,
        leg: str = "open", model: str | None = None, token_kind: str | None = None,
        pool: str | None = None, whole: bool = False,
    ) -> None:  # fmt: skip
        """What nobody's part took, under its reason. Nothing left writes no row. ``whole``: it is all
        of the charge, no division's rest, and keeps the principal that the bill names."""
        if costs != (0, 0):
            who = billed_to(None, piece) if whole else NOBODY
            identity = self.identity(
                piece, component, leg, who, model=model, token_kind=token_kind, reason=reason
            )
            self.write(piece, identity, "none", costs, pool=pool)
