"""Reference pages of files that people write: every key of a strict model, as Markdown.

Belongs here: reading models (types, defaults, what stands under a field) and the shape of a table. Does
not: which pages there are (``write_reference``), examples and prose of one file (``file_pages``).
"""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le, MinLen
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from attribution_pipeline import config
from attribution_pipeline.model import strict
from attribution_pipeline.model.policy import charges, document, join, matching
from attribution_pipeline.model.policy_text import duration
from attribution_pipeline.model.strict import Strict
from attribution_pipeline.sources.pull.limits import LIMITS

WORDS: Sequence[tuple[Any, str]] = (
    (document.Amount, "number, 0 or more"),
    (document.Share, "number from 0 to 1"),
    (matching.Conditions, "conditions"),
    (matching.Column, "column"),
    (charges.Driver, "driver"),
    (charges.Surface, "surface"),
    (charges.TokenKind, "token kind"),
    (join.ContractName, "`name/number`"),
    (config.Folder, "path"),
    (config.Location, "path, or `s3://bucket/prefix`"),
    (strict.Text, "text"),
    (strict.Name, "name"),
    (strict.Number, "number"),
    (strict.Day, "day"),
    (strict.Duration, "duration"),
)
"""Types that the models have names for, the finer before those that they are made of."""

_PAGE = re.compile(r"`docs/((?:[a-z-]+/)*([a-z-]+)\.md)`")

PLAIN = {str: "text", int: "whole number", bool: "`true` or `false`", Decimal: "number"}

KEYS_OF = {
    ("join", "attributes"): "who-column ("
    + ", ".join(f"`{column}`" for column in join.ATTRIBUTE_FIELDS)
    + "): list of texts",
    ("join", "tenant_aliases"): "text: text",
    ("pools[]", "fixed"): "tenant: number",
    ("meters[]", "tokens_per_unit"): "unit: number over 0",
    ("spark", "conf"): "text: text",
    ("nodes[]", "to"): "FOCUS column, no tag",
    ("tolerance", "telemetry_coverage"): "`[low, high]`",
    ("pools[].idle", "driver"): ", ".join(f"`{word}`" for word in charges.IDLE_DRIVERS),
    ("compute", "memory_limit"): "number with `KB`, `MB`, `GB`, `TB`, `KiB`, ...",
}
"""What a mapping holds, and types whose rule is a validator's: (section, key) to words."""

DEFAULTS = {
    ("compute", "threads"): "the machine's cores",
    **{("pull[].limits", name): str(value) for name, value in vars(LIMITS).items()},
}
"""Defaults that are not the model's own."""


def meanings(model: type[Strict]) -> Mapping[str, str]:
    """What stands under each field, the parents' fields included: field name to one line of Markdown."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, Strict):
            found |= _documented(cls)
    return found


@cache
def _documented(cls: type) -> Mapping[str, str]:
    (body,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = markdown(str(text.value.value))
    return found


def markdown(docstring: str) -> str:
    """A docstring as one line of Markdown; pages of the docs as links from ``docs/reference``."""
    text = " ".join(docstring.split()).replace("``", "`")
    return _PAGE.sub(r"[\2](../\1)", text)


def table(section: str, model: type[Strict]) -> str:
    """Every key of a model: what it takes, its default, what it means."""
    hints = get_type_hints(model, include_extras=True)
    said = meanings(model)
    lines = ["| key | takes | default | meaning |", "| --- | --- | --- | --- |"]
    for name, info in model.model_fields.items():
        takes = KEYS_OF.get((section, name)) or takes_words(hints[name])
        cells = (f"`{info.alias or name}`", takes, default_words(section, name, info), said[name])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def submodels(model: type[Strict]) -> Iterator[tuple[str, type[Strict]]]:
    """(key, model) of every key that holds models, lists of them included."""
    for name, info in model.model_fields.items():
        for part in _parts(info.annotation):
            if isinstance(part, type) and issubclass(part, Strict):
                yield info.alias or name, part


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def takes_words(hint: Any) -> str:
    """A type as people say it."""
    for known, words in WORDS:
        if _starts(hint, known):
            return words
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return takes_words(parts[0]) + _bounds(hint.__metadata__)
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(takes_words(part) for part in parts if part is not type(None))
    if origin is list:
        inner = takes_words(parts[0])
        return "list" if inner == "list" else f"list of {_plural(inner)}"
    if isinstance(hint, type) and issubclass(hint, Strict):
        return "mapping"
    return PLAIN[hint]


def _plural(words: str) -> str:
    return words if words.startswith("`") else f"{words}s"


def _starts(hint: Any, known: Any) -> bool:
    """Whether ``hint`` is ``known``, maybe with more said of it: Annotated folds into one."""
    if get_origin(hint) is not Annotated:
        return False
    marks = known.__metadata__
    same: bool = hint.__origin__ == known.__origin__ and hint.__metadata__[: len(marks)] == marks
    return same


def _bounds(marks: Sequence[Any]) -> str:
    least = most = None
    for mark in marks:
        for one in mark.metadata if isinstance(mark, FieldInfo) else (mark,):
            if isinstance(one, MinLen):
                return ", at least one"
            least = one.ge if isinstance(one, Ge) else least
            most = one.le if isinstance(one, Le) else most
    if least is None:
        return ""
    if least == most:
        return f", only {least}"
    return f", {least} or more" if most is None else f", {least} to {most}"


def default_words(section: str, name: str, info: FieldInfo) -> str:
    """What counts where the key is left out."""
    if (section, name) in DEFAULTS:
        return DEFAULTS[section, name]
    if info.is_required():
        return "**required**"
    if info.default is PydanticUndefined:
        return "its defaults"
    return _value(info.default)


def _value(value: Any) -> str:
    match value:
        case None:
            return "none"
        case Strict():
            return "its defaults"
        case timedelta():
            return f"`{_short(value)}`"
        case bool():
            return f"`{str(value).lower()}`"
        case dict() if value:
            return "`{" + ", ".join(f"{key}: {one}" for key, one in value.items()) + "}`"
        case list() | tuple() if value:
            return "`[" + ", ".join(map(str, value)) + "]`"
        case dict() | list() | tuple():
            return "none"
        case _:
            return f"`{value}`"


def _short(value: timedelta) -> str:
    number, unit = duration(value).split()
    return number + unit[0]
