"""Tags: one canonical JSON object, so that equal tag sets are equal text.

Belongs here: the spellings of tags. Does not: what a tag means (policy).

FOCUS 1.2, TagsColumn: unique keys, scalar values. Exports also send keys with blanks around them
(the real 1.0 sample has ``org`` and `` org`` in one row), lists of key and value (BigQuery), pairs
without braces (older Azure), and text that is no JSON at all.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

from attribution_pipeline.sources.focus.text import quote


class Tags(NamedTuple):
    """Canonical text, and the text as written where canonical form could not keep all of it."""

    text: str | None
    as_written: str | None


class _Number(str):
    """A JSON number with a point or exponent, as written: no float touches it."""


@lru_cache(maxsize=65536)
def canonical(raw: str) -> Tags:
    """A JSON object with stripped, sorted keys and scalar values.

    Two keys that are one after stripping: the one written without blanks stands, then the smaller
    as text. A nested value becomes its JSON text. Where that lost something, or ``raw`` is no set
    of tags (text None), ``as_written`` keeps it.
    """
    pairs = _pairs(raw)
    if pairs is None:
        return Tags(None, raw)
    lossy = False
    chosen: dict[str, tuple[bool, str, str]] = {}
    for key, value in pairs:
        stripped = key.strip()
        lossy = lossy or isinstance(value, list | _Object)
        candidate = (key != stripped, key, _value(value))
        if stripped in chosen:
            lossy = lossy or chosen[stripped][2] != candidate[2]
            candidate = min(candidate, chosen[stripped])
        chosen[stripped] = candidate
    body = ",".join(f"{quote(key)}:{chosen[key][2]}" for key in sorted(chosen))
    return Tags("{" + body + "}", raw if lossy else None)


def _pairs(raw: str) -> list[tuple[str, Any]] | None:
    parsed = _parse(raw)
    if parsed is None and raw.lstrip().startswith('"'):
        parsed = _parse("{" + raw + "}")
    if isinstance(parsed, _Object):
        return parsed.pairs
    if isinstance(parsed, list):
        pairs = [_entry(item) for item in parsed]
        return None if None in pairs else [pair for pair in pairs if pair is not None]
    return None


class _Object:
    """A JSON object with its repeated keys."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def plain(self) -> dict[str, Any]:
        return {key: _plain(value) for key, value in self.pairs}


def _parse(raw: str) -> Any:
    """The parsed text; None where it is no JSON. An object is a ``_Object``."""
    try:
        return _DECODER.decode(raw)
    except (ValueError, RecursionError):
        return None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_float=_Number, parse_constant=_no_number
)


def _entry(item: Any) -> tuple[str, Any] | None:
    if not isinstance(item, _Object):
        return None
    fields = {key.lower(): value for key, value in item.pairs}
    key = fields.get("key")
    if sorted(fields) not in (["key"], ["key", "value"]) or not isinstance(key, str):
        return None
    return key, fields.get("value", True)


def _value(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list | _Object):
        return quote(json.dumps(_plain(value), sort_keys=True, separators=(",", ":")))
    return json.dumps(value)


def _plain(value: Any) -> Any:
    if isinstance(value, _Object):
        return value.plain()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, _Number) else value
