"""Route slices: the grain at which proofs are told, (provider, model, surface) in one currency.

Belongs here: what a route slice is called and how slices are ordered. Does not: sums over one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLUMNS = ("billing_currency", "provider", "model", "surface")
"""Of the ledger. Currencies are never mixed in a sum, so the currency splits slices too."""

NO_MODEL = "(no model)"


@dataclass(frozen=True)
class Route:
    """One route slice. ``provider`` is the bill's; ``model`` is null where a row names none."""

    currency: str
    provider: str
    model: str | None
    surface: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Route:
        """Of a row with ``COLUMNS``."""
        return cls(
            row["billing_currency"] or "", row["provider"] or "", row["model"], row["surface"] or ""
        )

    @property
    def name(self) -> str:
        """``provider / model / surface, currency``."""
        model = self.model or NO_MODEL
        return f"{self.provider} / {model} / {self.surface}, {self.currency}"

    @property
    def order(self) -> tuple[str, str, str, str]:
        """Sorts slices, those without a model first."""
        return self.currency, self.provider, self.surface, self.model or ""

    def as_dict(self) -> dict[str, str | None]:
        """As reports name it."""
        return {
            "billing_currency": self.currency, "provider": self.provider, "model": self.model,
            "surface": self.surface,
        }  # fmt: skip
