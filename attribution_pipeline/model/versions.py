"""Versions of instrumentations, as far as they can be compared.

Belongs here: reading one. Does not: what a version means (``sources/otlp/emitters``,
``attribution/twins``).
"""

from __future__ import annotations

import re

Version = tuple[int, ...]

_LEADING_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def version_of(text: str | None) -> Version | None:
    """The leading numbers: ``1.3b0`` is (1, 3). None where there are none."""
    found = _LEADING_NUMBERS.match(text or "")
    return tuple(int(part) for part in found.group().split(".")) if found else None
