"""Strict models of files that people write: every mistake is one line with a place and a remedy.

Belongs here: the pydantic base class, common field types, and how a validation error becomes a
``Refusal``. Does not: the fields of any one file (``policy``, ``config``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.yaml_lines import Document, Location

EXACT = Context(prec=200, traps=[Inexact, InvalidOperation])
"""Arithmetic on numbers of a file: digits and exponents are bounded (``yaml_lines``), so nothing is
ever rounded. The default context would round at 28 digits, in silence."""


def refuse(what: str, remedy: str, *, at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """An error for a validator to raise; ``at`` leads from the validated value to the fault."""
    return PydanticCustomError("refused", "{what}", {"what": what, "remedy": remedy, "at": at})


def nearest(word: object, known: Iterable[str]) -> str:
    """``did you mean `x`?`` or the list of what is known."""
    names = list(known)
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(word).lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{lowered[close[0]]}`?"
    shown = ", ".join(names[:24])
    return f"use one of: {shown}" + (", ..." if len(names) > 24 else "")


class Strict(BaseModel):
    """Frozen, no coercion, no unknown keys, as the file spells them (``from``)."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, validate_by_alias=True, validate_by_name=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, data: Any) -> Any:
        """Unknown and missing keys by name: pydantic's own messages know no neighbours."""
        if not isinstance(data, dict):
            return data
        spelled = {info.alias or name: name for name, info in cls.model_fields.items()}
        for key in data:
            if key not in spelled and key not in cls.model_fields:
                raise PydanticCustomError(
                    "unknown_key",
                    "unknown key `{key}`",
                    {"key": key, "remedy": nearest(key, spelled), "at": (key,)},
                )
        for key, name in spelled.items():
            info = cls.model_fields[name]
            if info.is_required() and key not in data and name not in data:
                example = (info.examples or ["..."])[0]
                raise refuse(f"key `{key}` is missing", f"add `{key}: {example}`")
        return data


# -- field types ---------------------------------------------------------------------------------


def _number(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise refuse(f"{_shown(value)} is no number", "write a plain number, without quotes")


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if type(value) is not date:
        raise refuse(f"{_shown(value)} is no day", "write a day as YYYY-MM-DD")
    return value


_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise refuse(f"{_shown(value)} is no duration", "write one like 90s, 5m, 72h or 3d")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _one_line(value: str) -> str:
    if value != value.strip() or any(ord(letter) < 32 for letter in value):
        raise refuse("has blanks around it or a line break in it", "write it on one line, trimmed")
    return value


def distinct(values: list[Any]) -> list[Any]:
    """A list in which order matters and repetition is a slip of the pen."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refuse(f"{_shown(value)} is listed twice", "list it once", at=(index,))
    return values


Number = Annotated[Decimal, BeforeValidator(_number)]
"""An exact decimal as written."""
Day = Annotated[date, BeforeValidator(_day)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_one_line)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A name that is also safe as a folder or a metadata key."""


# -- errors --------------------------------------------------------------------------------------

M = TypeVar("M", bound=BaseModel)


def validated(document: Document, model: type[M], context: Any = None) -> M:
    """The document as a ``model``. Raises Refusal for the first error in file order."""
    try:
        return model.model_validate(document.value, context=context)
    except ValidationError as error:
        raise _first(document, error.errors(include_url=False)) from None


def _first(document: Document, errors: list[ErrorDetails]) -> Refusal:
    placed = []
    for number, error in enumerate(errors):
        at = tuple(error.get("ctx", {}).get("at", ()))
        location, line = document.locate((*error["loc"], *at))
        placed.append((line, number, location, error))
    line, _, location, error = min(placed, key=lambda item: item[:2])
    what, remedy = _words(error)
    if error["type"] == "unknown_key":
        section = _named(location[:-1])
        what = f"{what} in `{section}`" if section else what
    elif location:
        joint = ": " if error["type"] == "refused" else " "
        what = f"`{_named(location)}`{joint}{what}"
    if len(placed) > 1:
        what = f"{what} (first of {len(placed)} errors)"
    return Refusal(what, where=f"{document.path}:{line}", remedy=remedy)


def _named(location: Location) -> str:
    """``pools[1].driver``: keys as they are written, list items counted from 1."""
    steps = "".join(f".{step}" if isinstance(step, str) else f"[{step + 1}]" for step in location)
    return steps.removeprefix(".")


def _words(error: ErrorDetails) -> tuple[str, str]:
    """What is wrong and what to do, for one pydantic error."""
    context: dict[str, Any] = error.get("ctx", {})
    value = error["input"]
    match error["type"]:
        case "refused" | "unknown_key":
            return error["msg"], context["remedy"]
        case "string_type":
            return f"must be text, is {_shown(value)}", _to_text(value)
        case "literal_error" | "union_tag_invalid":
            known = re.findall(r"'([^']*)'", context.get("expected", "").replace("\\", ""))
            return f"cannot be {_shown(value)}", nearest(value, known)
        case "int_type" | "int_from_float" | "int_parsing":
            return f"must be a whole number, is {_shown(value)}", "write digits only, no quotes"
        case "bool_type":
            return f"must be true or false, is {_shown(value)}", "write true or false"
        case "list_type" | "tuple_type":
            return f"must be a list, is {_shown(value)}", "write `- item` lines or [a, b]"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"must be a mapping, is {_shown(value)}", "write `key: value` lines under it"
        case "too_short":
            return (
                f"has {context['actual_length']} entries",
                "write at least one, or remove the key",
            )
        case "string_too_short":
            return "is empty", "give it a value or remove the key"
        case "string_too_long":
            return f"is longer than {context['max_length']} characters", "shorten it"
        case "greater_than_equal":
            return f"is {_shown(value)}", f"write {context['ge']} or more"
        case "less_than_equal":
            return f"is {_shown(value)}", f"write {context['le']} or less"
        case "string_pattern_mismatch":
            return f"cannot be {_shown(value)}", f"it must match {context['pattern']}"
        case _:
            return f"cannot be {_shown(value)}", error["msg"]


def _to_text(value: Any) -> str:
    if value is None:
        return "give it a value or remove the key"
    if isinstance(value, dict | list):
        return "write one value"
    if isinstance(value, bool):
        return f'write it in quotes: "{str(value).lower()}"'
    return f'write it in quotes: "{value}"'


def _shown(value: Any) -> str:
    """A value as its author would recognise it, short."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...")
        case _:
            return str(value)
