"""The formulas as SQL text: each stands here once and is pasted into the passes that use it.

Belongs here: truncating division, its remainder, the canonical text that a row's identity digests.
Does not: what is divided by what. The same formulas on plain integers: ``model/division``.

``//`` and ``%`` truncate toward zero on signed integers in DuckDB and Spark alike (measured), so
credits need no case of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from attribution_pipeline.attribution.engine import NULL
from attribution_pipeline.model.ledger import WHO

WEIGHT_BOUND = 2**63
"""max(D) x max(w) stays under this, or the slice is refused by name: 64-bit arithmetic."""

NARROW_BOUND = 9 * 10**18
"""A day whose amounts sum to less, in quanta, is divided in 64 bits; else in 128."""

ID_DIGITS = 32
"""Hex digits of an id: 128 bits of sha256."""


def part(amount: str, weight: str, denominator: str) -> str:
    """``amount x weight / denominator`` truncated toward zero, without a product beyond the bound."""
    return (
        f"(({amount}) // {denominator}) * {weight} "
        f"+ ((({amount}) % {denominator}) * {weight}) // {denominator}"
    )


def remainder(amount: str, weight: str, denominator: str) -> str:
    """What ``part`` truncated, in denominators."""
    return f"((({amount}) % {denominator}) * {weight}) % {denominator}"


def who_key(prefix: str = "") -> str:
    """Canonical text of the who-columns."""
    columns = ", ".join(f"coalesce({prefix}{column}, {NULL})" for column in WHO)
    return f"concat_ws(chr(31), {columns})"


def actor_key(unverified: str, prefix: str = "") -> str:
    """``who_key``, and apart from it that of whoever was named and is not believed."""
    return f"{who_key(prefix)} || case when {unverified} then chr(31) || 'unverified' else '' end"


def billed_actor(tenant: str, principal: str) -> str:
    """``actor_key`` of whom a charge names itself: its tag's tenant, its own principal."""
    said = {"tenant_id": tenant, "principal_id": principal}
    columns = ", ".join(
        f"coalesce({said[column]}, {NULL})" if column in said else NULL for column in WHO
    )
    return f"concat_ws(chr(31), {columns})"


def tenant_alone(prefix: str) -> str:
    """Condition: of the who-columns at most the tenant is known."""
    return " and ".join(f"{prefix}{column} is null" for column in WHO if column != "tenant_id")


def aliased_tenant(aliases: Mapping[str, str]) -> tuple[str, list[str]]:
    """``tenant_id`` under the tenant's own name, as SQL, and its parameters."""
    if not aliases:
        return "tenant_id", []
    named = " ".join("when ? then ?" for _ in aliases)
    parameters = [text for pair in aliases.items() for text in pair]
    return f"case tenant_id {named} else tenant_id end", parameters


def attribution_id(
    charge_date: str, charge_id: str, component: str, leg: str, who: str, what: str, reason: str
) -> str:
    """Identity of a ledger row; ``what`` is the canonical text of ``what_key``."""
    parts = ", ".join([f"'{charge_date}'", charge_id, component, leg, who, what])
    return (
        f"substr(sha256(concat_ws(chr(31), {parts}, coalesce({reason}, {NULL}))), 1, {ID_DIGITS})"
    )


def what_key(operation_name: str, model: str, token_kind: str) -> str:
    """Canonical text of operation name, model and token kind."""
    columns = ", ".join(
        f"coalesce({column}, {NULL})" for column in (operation_name, model, token_kind)
    )
    return f"concat_ws(chr(31), {columns})"


def quanta(column: str) -> str:
    """DECIMAL(38,12) as an integer of quanta: the digits without the point."""
    return f"cast(replace(cast({column} as varchar), '.', '') as hugeint)"


def decimal(column: str) -> str:
    """Quanta as DECIMAL(38,12), in two halves that each fit their type."""
    return (
        f"cast({column} // 1000000000000 as decimal(38, 12)) "
        f"+ cast({column} % 1000000000000 as decimal(13, 0)) "
        f"* cast('0.000000000001' as decimal(13, 12))"
    )
