"""Meter slices (page 10, "Dividing"): which charges one body of operations explains, Q and E.

Belongs here: the slice key, the tokens billed and seen. Does not: the division of an amount.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from attribution_pipeline.model.policy import Policy
from attribution_pipeline.model.tokens import KINDS
from attribution_pipeline_tests.oracle.divide import half_even
from attribution_pipeline_tests.oracle.patterns import column
from attribution_pipeline_tests.oracle.words import Operation, Piece, Record


class Metered(NamedTuple):
    """What a meter says of a line: the rule that took it, and whose tokens it bills."""

    meter: int
    provider: str
    model: str | None
    token_kind: str


class Metering(NamedTuple):
    """A slice's key. ``account`` and ``region`` are None where not both planes have them."""

    provider: str
    model: str | None
    token_kind: str
    account: str | None
    region: str | None


@dataclass
class MeterSlice:
    """``billed``: Q, None where no line says; ``weights``: tokens by operation, zeros left out."""

    key: Metering
    pieces: list[Piece]
    weights: dict[Operation, int]
    billed: int | None

    @property
    def seen(self) -> int:
        """E."""
        return sum(self.weights.values())

    @property
    def denominator(self) -> int:
        """D = max(Q, E); E alone where Q is null or not positive."""
        return max(self.billed, self.seen) if self.billed and self.billed > 0 else self.seen

    @property
    def unit_base(self) -> int:
        """What list prices are per, when operations are rolled up: Q, or E without it."""
        return self.billed if self.billed and self.billed > 0 else self.seen

    def covered(self, policy: Policy) -> bool:
        """Whether tokens seen over tokens billed is inside the policy's tolerance."""
        if not self.billed or self.billed <= 0:
            return False
        low, high = policy.tolerance.telemetry_coverage
        return Fraction(low) <= Fraction(self.seen, self.billed) <= Fraction(high)


def metered(policy: Policy, index: int, line: Record, tags: Mapping[str, str]) -> Metered:
    meter = policy.meters[index]
    if isinstance(meter.model, str):
        model: str | None = meter.model
    else:
        text = column(line, tags, meter.model.from_)
        found = re.search(meter.model.pattern, text) if text is not None else None
        model = found["model"] if found else None
    return Metered(index, meter.provider, model, meter.token_kind)


def tokens_of(operation: Operation, token_kind: str) -> int:
    if not operation.metered:
        return 0
    return operation.counted * sum(operation.tokens[bucket] for bucket in KINDS[token_kind])


def meter_slices(
    pieces: Sequence[Piece], ended: Sequence[Operation], policy: Policy
) -> list[MeterSlice]:
    """The slices of a day. ``ended``: the operations that end on it."""
    slices = []
    for group, taken in _by(pieces, _without_route).items():
        provider, model, token_kind = group
        weights = {
            operation: tokens_of(operation, token_kind)
            for operation in ended
            if (operation.provider, operation.model) == (provider, model)
            and tokens_of(operation, token_kind) > 0
        }
        use_account = "account" in policy.join.route_keys and all(
            account is not None
            for account in [*map(_account, taken), *(op.account for op in weights)]
        )
        for account, of_account in _by(taken, _account if use_account else _nothing).items():
            there = {op: w for op, w in weights.items() if not use_account or op.account == account}
            use_region = "region" in policy.join.route_keys and all(
                region is not None
                for region in [*map(_region, of_account), *(op.region for op in there)]
            )
            for region, of_region in _by(of_account, _region if use_region else _nothing).items():
                here = {op: w for op, w in there.items() if not use_region or op.region == region}
                key = Metering(provider, model, token_kind, account, region)
                slices.append(MeterSlice(key, of_region, here, _billed_tokens(of_region, policy)))
    return slices


def _by(pieces: Sequence[Piece], key) -> dict[Hashable, list[Piece]]:  # type: ignore[no-untyped-def]
    groups: dict[Hashable, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(key(piece), []).append(piece)
    return groups


def _without_route(piece: Piece) -> tuple[str, str | None, str]:
    return piece.rule.provider, piece.rule.model, piece.rule.token_kind


def _account(piece: Piece) -> str | None:
    if piece.charge.sub_account_id is not None:
        return piece.charge.sub_account_id
    return piece.charge.billing_account_id


def _region(piece: Piece) -> str | None:
    return piece.charge.region


def _nothing(piece: Piece) -> None:
    return None


def _billed_tokens(pieces: Sequence[Piece], policy: Policy) -> int | None:
    """Q: Usage, no correction, not unused; consumed quantity, else priced; rounded once."""
    found = []
    for piece in pieces:
        if piece.charge.category != "Usage" or piece.charge.charge_class is not None:
            continue
        if piece.charge.commitment_status == "Unused":
            continue
        per_unit = policy.meters[piece.rule.meter].tokens_per_unit
        for part in piece.lines:
            if part.consumed is not None:
                found.append(part.consumed * Fraction(per_unit[part.line["ConsumedUnit"]]))
            elif part.priced is not None:
                found.append(part.priced * Fraction(per_unit[part.line["PricingUnit"]]))
    return half_even(sum(found, Fraction(0))) if found else None
