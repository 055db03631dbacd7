"""Names of others: replaced in everything that a packet says.

Belongs here: what is hidden, by what. Does not: which records a packet has.

Another tenant appears as a salted id: HMAC-SHA256 of its name under a key that is drawn for one
packet and kept nowhere, so nobody can try names against it, and ids of two packets do not meet.
Where a text that must be shown contains such a name, the name alone is replaced: names of tenants
everywhere, names of their workflows, consumers, principals and projects in free text (tags, names of
resources), where the words of a service or a rule cannot be meant. Ids that digest a name, as
``attribution_id`` does, are never given for others: whoever can guess names could look them up.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from attribution_pipeline.model.ledger import (
    BASES,
    COMPONENTS,
    CONFIDENCES,
    LEGS,
    REASONS,
    SETTLEMENTS,
    SURFACES,
)
from attribution_pipeline.model.policy.charges import DRIVERS
from attribution_pipeline.model.tokens import KINDS

ID_DIGITS = 16
"""Hex digits of a salted id: 64 bits."""

SALT_BYTES = 32

VOCABULARY = frozenset((
    *BASES, *COMPONENTS, *CONFIDENCES, *LEGS, *REASONS, *SETTLEMENTS, *SURFACES, *DRIVERS, *KINDS,
    "Usage", "Purchase", "Tax", "Credit", "Adjustment", "Correction", "Unused", "Used",
    "billed_cost", "effective_cost",
))  # fmt: skip
"""Words of the ledger and of FOCUS: as a whole value each means itself, whoever is called so."""

NAMED_KEYS = ("fixed", "tenant_aliases", "match")
"""Objects whose keys may be names. Elsewhere keys are ours."""


ENUMERATED = frozenset((
    "closed_period", "component", "contract", "direction", "driver", "evidence_gap", "from",
    "identity", "keep", "label_precedence", "metric", "over_allocation", "provisional_for",
    "route_keys", "split", "surface", "tagged", "to", "token_kind", "window", "within",
))  # fmt: skip
"""Keys of a policy whose values are words of ours."""

_FIGURE = re.compile(r"-?[0-9]+\.[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?")
"""Amounts, dates and instants: a tenant may be called 2026, and no date is meant for it."""


class Number(str):
    """A number of a JSON document, as it is spelled there."""


class Hider:
    """Replaces names. What the tenant itself is called, and uses, is shown although others use it."""

    def __init__(self, tenant: str, *, salt: bytes | None = None) -> None:
        self.tenant = tenant
        self._salt = salt or secrets.token_bytes(SALT_BYTES)
        self._tenants = _Words(self)
        self._everything = _Words(self)

    def learn(self, tenants: Iterable[str], names: Iterable[str], own: Iterable[str]) -> None:
        """More tenants, and other names of theirs, to hide, but for those of ``own``."""
        shown = {name.casefold() for name in own} | {self.tenant.casefold()}
        tenants = {name for name in tenants if name.casefold() not in shown}
        self._tenants.learn(tenants)
        self._everything.learn(tenants | {name for name in names if name.casefold() not in shown})

    def id(self, kind: str, *words: str) -> str:
        """The salted id of something that is not shown."""
        text = "\x1f".join((kind, *words)).encode()
        return hmac.digest(self._salt, text, "sha256").hex()[:ID_DIGITS]

    def other(self, tenant: str | None) -> str:
        """What another tenant is called; ``-`` is nobody."""
        return "-" if tenant is None else self.id("tenant", tenant)

    def text(self, value: str) -> str:
        """A text without names of other tenants."""
        return self._tenants.hidden(value)

    def free_text(self, value: str) -> str:
        """A free text without any name of others."""
        return self._everything.hidden(value)

    def clean(self, value: Any) -> Any:
        """A value of JSON without names of other tenants."""
        return _clean(value, self.text)

    def clean_free(self, value: Any) -> Any:
        """A value of JSON without any name of others."""
        return _clean(value, self.free_text)


class _Words:
    """Names as one pattern: whole words, any case, the longest first."""

    def __init__(self, hider: Hider) -> None:
        self._hider = hider
        self._names: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._known: dict[str, str] = {}

    def learn(self, names: set[str]) -> None:
        new = {name for name in names if name} - self._names
        if not new:
            return
        self._names |= new
        self._known.clear()
        words = "|".join(
            re.escape(name) for name in sorted(self._names, key=lambda one: (-len(one), one))
        )
        self._pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])", re.IGNORECASE)

    def hidden(self, value: str) -> str:
        if self._pattern is None or value in VOCABULARY or _FIGURE.fullmatch(value):
            return value
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._pattern.sub(
                lambda match: f"other-{self._hider.id('name', match[0].casefold())}", value
            )
        return found


def _clean(value: Any, text: Any, parent: str = "") -> Any:
    match value:
        case Number():
            return value
        case str():
            return text(value)
        case Mapping():
            return {
                text(key) if parent in NAMED_KEYS else key: item
                if key in ENUMERATED and parent not in NAMED_KEYS
                else _clean(item, text, key)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_clean(item, text, parent) for item in value]
        case _:
            return value
