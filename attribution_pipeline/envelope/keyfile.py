"""Key files: the text that a ring of keys is read from, and what is refused in it.

Belongs here: the form of a key file and of its values, in YAML and in JSON. Does not: what a key is
good for (``keys``).

Nothing of a value is ever repeated in a message, because any of them may be a secret that was put in
the wrong place; messages say the line, the field and the remedy. No exception of a parser is kept as
the cause of ours: parsers remember the text.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from attribution_pipeline.envelope.errors import EnvelopeError, KeyFileError, MissingLibrary
from attribution_pipeline.envelope.keys import Key

MAX_BYTES = 1_048_576
"""A thousand keys have some 200 kB; more is the wrong file."""

BYTES_FIELDS = ("secret", "private", "public")
TIME_FIELDS = ("not_before", "not_after", "revoked_from")
FIELDS = ("key_id", "algorithm", *BYTES_FIELDS, "tenants", *TIME_FIELDS)

_FORM = "a key file is `keys:` with a list of entries; `attribution envelope keygen` writes one"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})", re.ASCII)
_SAYABLE = re.compile(r"[a-z_]{1,20}")
"""An unknown field is named where it looks like one; a secret of 32 bytes never fits this."""


@dataclass(frozen=True)
class _Value:
    """Text or a list of texts with its place; never shown."""

    value: Any
    where: str


@dataclass(frozen=True)
class _Entry:
    fields: dict[str, _Value]
    where: str


def read_key_file(path: Path) -> list[Key]:
    """The keys of a file. Raises KeyFileError with line and remedy."""
    problem = ""
    data = b""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise KeyFileError(
            f"cannot be read ({problem})", where=str(path),
            remedy="it must be a key file that this user may read",
        )  # fmt: skip
    return _read(data, str(path), is_json=path.suffix == ".json")


def read_key_variable(name: str) -> list[Key]:
    """The keys of an environment variable that holds the text of a key file. Raises likewise."""
    text = os.environ.get(name, "")
    where = f"${name}"
    if not text.strip():
        raise KeyFileError(
            "is not set, or empty", where=where, remedy="give it the text of a key file"
        )
    data = text.encode("utf-8", "surrogateescape")
    return _read(data, where, is_json=text.lstrip().startswith("{"))


def _read(data: bytes, name: str, *, is_json: bool) -> list[Key]:
    if len(data) > MAX_BYTES:
        raise KeyFileError(f"is larger than {MAX_BYTES:,} bytes", where=name, remedy=_FORM)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if not text.strip():
        raise KeyFileError("is empty, or not UTF-8 text", where=name, remedy=_FORM)
    entries = _json_entries(text, name) if is_json else _yaml_entries(text, name)
    first: dict[str, str] = {}
    keys = []
    for entry in entries:
        key = _key(entry)
        if key.key_id in first:
            raise KeyFileError(
                f"key {key.key_id} is there twice (first at {first[key.key_id]})",
                where=entry.where, remedy="give each key an id of its own",
            )  # fmt: skip
        first[key.key_id] = entry.where
        keys.append(key)
    return keys


def _key(entry: _Entry) -> Key:
    given: dict[str, Any] = {}
    for field, value in entry.fields.items():
        if field in BYTES_FIELDS:
            given[field] = _bytes(field, value)
        elif field in TIME_FIELDS:
            given[field] = _seconds(field, value)
        elif field == "tenants":
            given[field] = _texts(field, value)
        else:
            given[field] = _text(field, value)
    for field in ("key_id", "algorithm"):
        if field not in given:
            raise KeyFileError(f"a key has no `{field}`", where=entry.where, remedy="add it")
    try:
        return Key(**given)
    except MissingLibrary:
        raise
    except EnvelopeError as error:
        problem = str(error)  # ours: it names no value
    raise KeyFileError(
        problem, where=entry.where, remedy="`attribution envelope keygen` writes a whole key"
    )


def _text(field: str, value: _Value) -> str:
    if type(value.value) is not str or not value.value:
        raise KeyFileError(f"`{field}` must be text", where=value.where, remedy="quote it")
    return value.value


def _texts(field: str, value: _Value) -> tuple[str, ...]:
    listed = value.value
    if type(listed) is not list or not listed or not all(type(one) is str for one in listed):
        raise KeyFileError(
            f"`{field}` must be a list of texts", where=value.where, remedy='for all: ["*"]'
        )
    return tuple(listed)


def _bytes(field: str, value: _Value) -> bytes:
    remedy = "make one with `attribution envelope keygen`, or `openssl rand -base64 32`"
    text = _text(field, value)
    decoded = b""
    if _BASE64.fullmatch(text):
        bare = text.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except binascii.Error:
            decoded = b""
    if not decoded:
        raise KeyFileError(f"`{field}` must be base64", where=value.where, remedy=remedy)
    return decoded


def _seconds(field: str, value: _Value) -> int:
    text = _text(field, value)
    if _RFC_3339.fullmatch(text):
        try:
            return int(datetime.fromisoformat(text).timestamp())
        except (ValueError, OverflowError):  # 30 February, or a year that no clock has
            pass
    raise KeyFileError(
        f"`{field}` is no time", where=value.where, remedy="write it as 2026-10-01T00:00:00Z"
    )


def _known(field: Any, where: str) -> str:
    if field in FIELDS:
        return str(field)
    named = f"`{field}`" if isinstance(field, str) and _SAYABLE.fullmatch(field) else "one"
    raise KeyFileError(
        f"a key has no such field: {named}", where=where, remedy=f"known are {', '.join(FIELDS)}"
    )


def _json_entries(text: str, name: str) -> list[_Entry]:
    line = 0
    try:
        root = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        line = error.lineno
    except (ValueError, RecursionError):
        line = 1
    if line:
        raise KeyFileError(
            "is not valid JSON", where=f"{name}:{line}", remedy="check quotes and commas there"
        )
    listed = root[0][1] if isinstance(root, _Pairs) and len(root) == 1 else None
    if not isinstance(listed, list) or isinstance(listed, _Pairs) or root[0][0] != "keys":
        raise KeyFileError("holds no list `keys`", where=name, remedy=_FORM)
    return [_json_entry(item, f"{name}: keys[{place}]") for place, item in enumerate(listed)]


class _Pairs(list[Any]):
    """The pairs of one JSON object, duplicates and all."""


def _json_entry(item: Any, where: str) -> _Entry:
    if not isinstance(item, _Pairs):
        raise KeyFileError("an entry is no object", where=where, remedy=_FORM)
    pairs = ((field, _Value(value, where), where) for field, value in item)
    return _entry(pairs, where)


def _entry(pairs: Iterator[tuple[Any, _Value, str]], where: str) -> _Entry:
    fields: dict[str, _Value] = {}
    for field, value, place in pairs:
        name = _known(field, place)
        if name in fields:
            raise KeyFileError(f"`{name}` is there twice", where=place, remedy="keep one")
        fields[name] = value
    return _Entry(fields, where)


def _yaml_entries(text: str, name: str) -> list[_Entry]:
    try:
        import yaml
    except ModuleNotFoundError:
        raise MissingLibrary("PyYAML", "a key file in YAML (JSON needs nothing)") from None
    line = 0
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
    except (yaml.YAMLError, RecursionError):  # a control character; nested without end
        line = 1
    if line:
        raise KeyFileError(
            "is not valid YAML", where=f"{name}:{line}",
            remedy="check indentation, quotes and brackets there",
        )  # fmt: skip
    listed = root.value if isinstance(root, yaml.MappingNode) else []
    if len(listed) != 1 or listed[0][0].value != "keys":
        raise KeyFileError("holds no list `keys` alone", where=f"{name}:1", remedy=_FORM)
    node = listed[0][1]
    if not isinstance(node, yaml.SequenceNode):
        raise KeyFileError("`keys` is no list", where=_at(name, node), remedy=_FORM)
    return [_yaml_entry(item, name) for item in node.value]


def _yaml_entry(node: Any, name: str) -> _Entry:
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise KeyFileError("an entry has no fields", where=_at(name, node), remedy=_FORM)
    pairs = (
        (key.value if isinstance(key, yaml.ScalarNode) else None,
         _Value(_plain(value), _at(name, value)), _at(name, key))
        for key, value in node.value
    )  # fmt: skip
    return _entry(pairs, _at(name, node))


def _plain(node: Any) -> Any:
    """A scalar's own text, whatever YAML would take it for; a list of such; else None."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [item.value if isinstance(item, yaml.ScalarNode) else None for item in node.value]
    return None


def _at(name: str, node: Any) -> str:
    return f"{name}:{node.start_mark.line + 1}"
