"""A policy as the text of a policy file, for a version whose file is gone.

Belongs here: writing YAML that reads back as the same policy. Does not: reading it (``policy.book``),
where the policy comes from (``lake``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from attribution_pipeline.model.errors import Broken
from attribution_pipeline.model.policy import Policy, parse_policy

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_NO_WORDS = frozenset({"true", "false", "null"})
"""Words that YAML takes for something other than text."""

_ESCAPED = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What may not stand in double quotes as it is: YAML 1.1 takes some of it for line breaks."""

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def policy_text(policy: Policy, heading: str = "") -> str:
    """YAML that reads back as ``policy``, by digest; ``heading`` is its first comment.

    What people wrote around the values (comments, layout, order) is not known any more.
    """
    said = policy.model_dump(by_alias=True, exclude_unset=True)
    lines = [f"# {heading}"] if heading else []
    lines += [line for key, value in said.items() for line in _entry(key, value, "")]
    text = "\n".join(lines) + "\n"
    if parse_policy(text).digest != policy.digest:
        raise Broken(f"policy {policy.policy} version {policy.version} does not read back")
    return text


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    """``key: value``, nested values below it."""
    if _is_nested(value):
        yield f"{indent}{_scalar(key)}:"
        yield from _nested(value, f"{indent}  ")
    else:
        yield f"{indent}{_scalar(key)}: {_scalar(value)}"


def _nested(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(key, item, indent)
        return
    for item in value:
        if _is_nested(item):
            first, *rest = _nested(item, f"{indent}  ")
            yield f"{indent}- {first.removeprefix(f'{indent}  ')}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(item)}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list | tuple) and bool(value)


def _scalar(value: Any) -> str:
    match value:
        case None | bool() | int():
            return json.dumps(value)
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
        case timedelta():
            return _duration(value)
        case dict():
            return "{}"
        case list() | tuple():
            return "[]"
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    if _WORD.match(text) and text not in _NO_WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\U{ord(found[0]):08x}", quoted)


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"
