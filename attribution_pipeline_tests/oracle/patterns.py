"""Does a rule's ``match`` fit a charge: FOCUS column names, shell patterns, all together."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from attribution_pipeline_tests.oracle.words import Record

TAG = "Tags."


def column(line: Record, tags: Mapping[str, str], name: str) -> str | None:
    """A column of the line, or ``Tags.<key>``: the value of that tag. None where there is none."""
    value: Any = tags.get(name[len(TAG) :]) if name.startswith(TAG) else line.get(name)
    return None if value is None else str(value)


def fits(pattern: str | None, value: str | None) -> bool:
    """A shell pattern against a value. No value fits no pattern, not even ``*``."""
    return pattern is None or (value is not None and fnmatchcase(value, pattern))


def matches(match: Mapping[str, str], line: Record, tags: Mapping[str, str]) -> bool:
    return all(fits(str(pattern), column(line, tags, name)) for name, pattern in match.items())
