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
from collections.abc import Iterator, Sequence
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

_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""YAML 1.1, section 4.1.1: every other character is refused."""

_HALF = re.compile("[\ud800-\udfff]")

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""The same events; libyaml's parser is ten times as fast."""

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
    return parse_document(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The file's text, a mark at its beginning left out. Raises Refusal with file and line."""
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
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refusal(
            "is not UTF-8 text", where=f"{path}:{line}", remedy="save the file as UTF-8"
        ) from None


def parse_document(text: str, path: str) -> Document:
    """The mapping in ``text``; ``path`` is what messages call it. Raises Refusal with the line."""
    if len(text) > MAX_BYTES:
        raise Refusal(
            f"is larger than {MAX_BYTES:,} bytes",
            where=path,
            remedy="point to a configuration or policy file, not to data",
        )
    try:
        build = _Build(path, yaml.parse(text, Loader=_LOADER))
        return Document(path, build.document(), build.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Refusal(
            f"is not valid YAML: {error.problem or error.context}",
            where=f"{path}:{line}",
            remedy="check indentation, quotes and brackets at this line",
        ) from None
    except yaml.reader.ReaderError:
        found = _NOT_PRINTABLE.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        raise Refusal(
            "holds a character that YAML does not allow",
            where=f"{path}:{line}",
            remedy="remove the control character",
        ) from None


class _Build:
    """Values and lines out of the parser's events, in one pass.

    Not PyYAML's own tree: that is built before depth, tags and aliases could be looked at.
    """

    def __init__(self, path: str, events: Iterator[yaml.Event]) -> None:
        self.path = path
        self.lines: dict[Location, int] = {(): 1}
        self._events = events
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: set[str] = set()

    def document(self) -> dict[str, Any]:
        """The one document of the stream, which must be a mapping."""
        next(self._events)  # start of the stream
        remedy = "write `key: value` lines; `attribution init` shows a whole file"
        start = next(self._events)
        if isinstance(start, yaml.StreamEndEvent):
            raise Refusal("is empty", where=f"{self.path}:1", remedy=remedy)
        value = self._value(next(self._events), ())
        if value is None:
            raise Refusal("is empty", where=f"{self.path}:1", remedy=remedy)
        if not isinstance(value, dict):
            what = "holds no mapping of keys to values"
            raise Refusal(what, where=f"{self.path}:1", remedy=remedy)
        next(self._events)  # end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._refusal(
                after, "a second YAML document starts here", "one document per file: remove `---`"
            )
        return value

    def _value(self, event: yaml.Event, at: Location) -> Any:
        self._count(event, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._refuse_tag(event)
        before, anchor = self._nodes, getattr(event, "anchor", None)
        if anchor is not None:
            self._open.add(anchor)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif len(at) >= MAX_DEPTH:
            raise self._refusal(event, f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(at)
        else:
            value = self._sequence(at)
        if anchor is not None:
            self._open.discard(anchor)
            self._anchors[anchor] = (value, self._nodes - before)
        return value

    def _mapping(self, at: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refusal(
                    event, "a key must be one word or text", "quote the key if it holds brackets"
                )
            self._refuse_tag(event)
            key = self._text(event)
            place = (*at, key)
            if key == "<<":
                raise self._refusal(
                    event, "merge keys (`<<`) are not allowed", "write the merged keys out"
                )
            if key in result:
                first = self.lines[place]
                raise self._refusal(
                    event,
                    f"key `{key}` appears twice (first in line {first})",
                    "keep one of them",
                )
            self.lines[place] = _line(event)
            result[key] = None
            result[key] = self._value(next(self._events), place)
        return result

    def _sequence(self, at: Location) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            place = (*at, len(items))
            self.lines[place] = _line(event)
            items.append(self._value(event, place))
        return items

    def _alias(self, event: yaml.AliasEvent) -> Any:
        """The value of an anchor; what is inside it is placed at the line of the alias."""
        name = event.anchor
        if name in self._open:
            what = "an alias refers to the value that holds it"
            raise self._refusal(event, what, "write the value out")
        if name not in self._anchors:
            raise self._refusal(
                event, f"the alias `*{name}` refers to nothing", f"quote it: '*{name}'"
            )
        value, nodes = self._anchors[name]
        self._count(event, nodes)
        return value

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._refusal(
                event,
                f"holds more than {MAX_NODES:,} values, aliases expanded",
                "write out or remove the aliases",
            )

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = self._text(event)
        if not event.implicit[0]:  # quoted or block: text, whatever it looks like
            return text
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _DAY.match(text):
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise self._refusal(
                    event,
                    f"{text} is no calendar day",
                    "write YYYY-MM-DD, or quote it if it is text",
                ) from None
        is_integer = _INTEGER.match(text) is not None
        if not is_integer and _DECIMAL.match(text) is None:
            return text
        if len(text) <= MAX_NUMBER_TEXT:
            if is_integer:
                return int(text)
            number = Decimal(text)
            if abs(number.adjusted()) <= MAX_EXPONENT:
                return number
        raise self._refusal(event, "a number is out of any range", "quote it if it is text")

    def _text(self, event: yaml.ScalarEvent) -> str:
        """A scalar's text. The Python parser lets halves of characters pass, libyaml does not."""
        text: str = event.value
        if _HALF.search(text):
            raise self._refusal(
                event, "half of a character is escaped here", "write the character itself"
            )
        return text

    def _refuse_tag(self, event: yaml.Event) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise self._refusal(
                event, f"the tag {tag!r} is not allowed", "remove the tag; plain values only"
            )

    def _refusal(self, event: yaml.Event, what: str, remedy: str) -> Refusal:
        return Refusal(what, where=f"{self.path}:{_line(event)}", remedy=remedy)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
