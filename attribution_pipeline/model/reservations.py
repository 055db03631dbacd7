"""What a reservation is of: a scope of ledger columns.

Belongs here: which columns a scope may name, how people spell one, its one canonical text. Does not:
reading files (``sources.reservations``), what became of a reservation (``views.reservations``).

A reservation guards spend and attributes nothing: a scope selects rows that the ledger has already,
and nothing of a reservation is ever a column, an input or a weight of them (design: product page).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attribution_pipeline.model.ledger import WHO

SCOPE_COLUMNS: tuple[str, ...] = (
    *WHO, "team", "cost_center", "provider", "service", "billing_account_id", "sub_account_id",
    "resource_id", "region", "surface", "component", "pool", "operation_name", "model", "token_kind",
)  # fmt: skip
"""Ledger columns that say whose cost or what kind of cost a row is. Ids, amounts, and how a row came
about (basis, confidence, settlement) bound no spend."""

EVERYTHING = "*"
"""The scope of a budget for all of the ledger."""

TERMS_APART = ";"


class NotAScope(ValueError):
    """A scope that cannot be read, in words for the person who wrote it."""


@dataclass(frozen=True, order=True)
class Scope:
    """Column = value terms that hold together, sorted by column; none: all of the ledger."""

    terms: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(column for column, _ in self.terms)

    @property
    def values(self) -> tuple[str, ...]:
        """Their values, in the same order."""
        return tuple(value for _, value in self.terms)

    @property
    def text(self) -> str:
        """As people read and write it: ``tenant_id = acme; surface = model_inference``."""
        said = [f"{column} = {value}" for column, value in self.terms]
        return f"{TERMS_APART} ".join(said) or EVERYTHING

    @property
    def json(self) -> str:
        """As it is landed: a JSON object with sorted keys."""
        return json.dumps(dict(self.terms), ensure_ascii=False, separators=(",", ":"))


def parse_scope(said: str | Mapping[str, Any]) -> Scope:
    """``column = value`` terms with ``;`` between them, ``*``, or an object of them (also as JSON).

    A value with a semicolon in it needs the object. Raises NotAScope.
    """
    if isinstance(said, Mapping):
        return _scope([(str(column), value) for column, value in said.items()])
    text = said.strip()
    if text == EVERYTHING:
        return Scope()
    if text.startswith("{"):
        try:
            return _scope(json.loads(text, object_pairs_hook=list))
        except (ValueError, RecursionError) as error:
            if isinstance(error, NotAScope):
                raise
            raise NotAScope("is no JSON object") from None
    terms = [term.partition("=") for term in text.split(TERMS_APART)]
    if not all(equals for _, equals, _ in terms):
        raise NotAScope("has a term that is not `column = value`")
    return _scope([(column.strip(), value.strip()) for column, _, value in terms])


def _scope(terms: list[tuple[str, Any]]) -> Scope:
    seen: dict[str, str] = {}
    for column, value in terms:
        if column not in SCOPE_COLUMNS:
            raise NotAScope(
                f"names {column[:40]!r}, by which no spend is reserved; use one of "
                f"{', '.join(SCOPE_COLUMNS)}"
            )
        if column in seen:
            raise NotAScope(f"names {column} twice")
        if not isinstance(value, str) or not value:
            raise NotAScope(f"has no text for {column}")
        seen[column] = value
    return Scope(tuple(sorted(seen.items())))
