"""Strict YAML: plain values with the line each came from, and nothing that surprises an accountant.

Belongs here: what YAML text is accepted and where each value stands. Does not: what keys mean
(``policy``, ``config``).

Stricter than YAML 1.1, on purpose. Numbers with a point become ``Decimal`` from their own text,
never through a float. Only ``true`` and ``false`` are booleans (``no`` is Norway), ``0123`` is text
(a cost center, not octal), ``12:30`` is text (not base sixty), mapping keys are always text.
Duplicate keys, tags, merge keys and a second document are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from attribution_pipeline.model.errors import Refusal

MAX_BYTES = 4 * 1024 * 1024
"""A policy with thousands of owners has some hundred kilobytes; more is the wrong file."""
MAX_DEPTH = 32
MAX_NODES = 200_000
"""Counted after aliases are expanded: a few lines of nested aliases can mean billions of values."""
MAX_NUMBER_TEXT = 48
"""DECIMAL(38,12), sign and point, with room; longer numbers are text that lost its quotes."""
MAX_EXPONENT = 60

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_NULLS = frozenset({"", "~", "null"})
_BOOLEANS = {"true": True, "false": False}

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One YAML file: its value, and the line (from 1) of every key and list item."""

    path: str
    value: dict[str, Any]
    lines: dict[Location, int] = field(repr=False)

    def locate(self, location: Sequence[str | int]) -> tuple[Location, int]:
        """The part of ``location`` that stands in the file, and its line.

        Steps that are no key of the file (names of alternatives inside a validator) are skipped.
        """
        found: Location = ()
        for step in location:
            if (*found, step) in self.lines:
                found = (*found, step)
        return found, self.lines.get(found, 1)

    def where(self, location: Sequence[str | int]) -> str:
        """``file:line`` of the nearest thing at ``location``."""
        return f"{self.path}:{self.locate(location)[1]}"


def read_document(path: Path) -> Document:
    """The mapping in the file at ``path``. Raises Refusal with file and line."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Refusal(
            "there is no such file", where=str(path), remedy="check the path, or `attribution init`"
        ) from None
    except OSError as error:
        raise Refusal(
            f"cannot be read ({error.strerror or error})",
            where=str(path),
            remedy="it must be a file that this user may read",
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal(
            "is not UTF-8 text", where=f"{path}:{line}", remedy="save the file as UTF-8"
        ) from None
    return parse_document(text, str(path))


def parse_document(text: str, path: str) -> Document:
    """The mapping in ``text``; ``path`` is what messages call it. Raises Refusal with the line."""
    if len(text) > MAX_BYTES:
        raise Refusal(
            f"is larger than {MAX_BYTES:,} bytes",
            where=path,
            remedy="point to a configuration or policy file, not to data",
        )
    try:
        _check_events(text, path)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Refusal(
            f"is not valid YAML: {error.problem or error.context}",
            where=f"{path}:{line}",
            remedy="check indentation, quotes and brackets at this line",
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Refusal(
            "holds a character that YAML does not allow",
            where=f"{path}:{line}",
            remedy="remove the control character",
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise Refusal(
            "holds no mapping of keys to values" if root is not None else "is empty",
            where=f"{path}:1",
            remedy="write `key: value` lines; `attribution init` shows a whole file",
        )
    build = _Build(path)
    return Document(path, build.mapping(root, ()), build.lines)


def _check_events(text: str, path: str) -> None:
    """Depth, tags and documents, before anything is built: the event stream is not recursive."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Refusal(
                    "a second YAML document starts here",
                    where=f"{path}:{line}",
                    remedy="one document per file: remove the `---`",
                )
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Refusal(
                    f"is nested deeper than {MAX_DEPTH} levels",
                    where=f"{path}:{line}",
                    remedy="flatten it",
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise Refusal(
                f"the tag {tag!r} is not allowed",
                where=f"{path}:{line}",
                remedy="remove the tag; plain values only",
            )


class _Build:
    """Values and lines out of a composed tree."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[Location, int] = {(): 1}
        self._nodes = 0
        self._open: set[int] = set()

    def mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise Refusal(
                    "a key must be one word or text", where=self._where(key_node),
                    remedy="quote the key if it holds brackets",
                )  # fmt: skip
            key = key_node.value
            if key == "<<":
                raise Refusal(
                    "merge keys (`<<`) are not allowed", where=self._where(key_node),
                    remedy="write the merged keys out",
                )  # fmt: skip
            if key in result:
                raise Refusal(
                    f"key `{key}` appears twice (first in line {self.lines[(*at, key)]})",
                    where=self._where(key_node),
                    remedy="keep one of them",
                )
            self.lines[(*at, key)] = line
            result[key] = self.value(value_node, (*at, key))
        return result

    def value(self, node: yaml.Node, at: Location) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Refusal(
                f"holds more than {MAX_NODES:,} values, aliases expanded",
                where=self._where(node),
                remedy="write out or remove the aliases",
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise Refusal(
                "an alias refers to the value that holds it",
                where=self._where(node),
                remedy="write the value out",
            )
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.mapping(node, at)
            items = []
            for number, item in enumerate(node.value):
                self.lines[(*at, number)] = item.start_mark.line + 1
                items.append(self.value(item, (*at, number)))
            return items
        finally:
            self._open.discard(id(node))

    def _where(self, node: yaml.Node) -> str:
        return f"{self.path}:{node.start_mark.line + 1}"

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        if node.style is not None:  # quoted or block: text, whatever it looks like
            return text
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _DAY.match(text):
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise Refusal(
                    f"{text} is no calendar day", where=self._where(node),
                    remedy="write YYYY-MM-DD, or quote it if it is text",
                ) from None  # fmt: skip
        is_integer = _INTEGER.match(text) is not None
        if not is_integer and _DECIMAL.match(text) is None:
            return text
        if len(text) <= MAX_NUMBER_TEXT:
            if is_integer:
                return int(text)
            number = Decimal(text)
            if abs(number.adjusted()) <= MAX_EXPONENT:
                return number
        raise Refusal(
            "a number is out of any range", where=self._where(node),
            remedy="quote it if it is text",
        )  # fmt: skip
