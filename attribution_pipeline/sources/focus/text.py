"""Any Arrow column as text without loss: ids keep their zeros, floats their shortest form.

Belongs here: types that exports use for one and the same FOCUS column, and what stands for null.
Does not: what the text means (``amounts``, ``instants``, ``tags``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NULL_TEXTS = ("", "NULL", "null")
"""What exports write for null. FOCUS 1.2, NullHandling, forbids all of them; they come anyway."""

_NULL_TEXTS = pa.array(NULL_TEXTS)


def as_text(column: pa.Array) -> pa.Array:
    """``column`` as ``string``: null where it says null, NaN included (pandas writes it so).

    Numbers come out exactly: integers in full, decimals at their own scale, floats in the shortest
    decimal form that reads back as the same float of their own width.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        # decoded through its values, so that a dictionary of numbers works too
        return as_text(column.dictionary).take(column.indices)
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string())
    if _is_text(kind):
        text = column.cast(pa.string())
        return pc.if_else(pc.is_in(text, value_set=_NULL_TEXTS), pa.scalar(None, pa.string()), text)
    if pa.types.is_floating(kind):
        return _of_floats(column)
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else nested_json(v, kind) for v in _scalars(column)],
                        pa.string())  # fmt: skip
    return column.cast(pa.string())


def map_distinct(text: pa.Array, convert: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """``convert`` applied to every distinct text once; null stays null."""
    encoded = text.dictionary_encode()
    converted = pa.array([convert(value) for value in encoded.dictionary.to_pylist()], kind)
    return converted.take(encoded.indices)


def quote(text: str) -> str:
    """A JSON string; escaped to ASCII only where UTF-8 could not carry it (lone surrogates)."""
    plain = encode_basestring(text)
    return plain if plain.isascii() or _encodes(plain) else encode_basestring_ascii(text)


def nested_json(value: Any, kind: pa.DataType) -> str:
    """A nested Arrow value as JSON text.

    Maps, and lists of key and value (BigQuery), become objects; a repeated key stays repeated.
    """
    if value is None:
        return "null"
    if pa.types.is_map(kind):
        return _object((str(k), nested_json(v, kind.item_type)) for k, v in value)
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        # older BigQuery Parquet wraps a list: {"list": [{"element": ...}]}
        if names in (["list"], ["element"]):
            return nested_json(value[names[0]], kind.field(0).type)
        return _object((f.name, nested_json(value[f.name], f.type)) for f in kind)
    if pa.types.is_nested(kind):
        item = _unwrapped(kind.value_type)
        if pa.types.is_struct(item) and sorted(f.name.lower() for f in item) == ["key", "value"]:
            key, val = sorted(item, key=lambda f: f.name.lower())
            entries = [_unwrap(v) for v in value if v is not None]
            return _object((str(e[key.name]), nested_json(e[val.name], val.type)) for e in entries)
        return "[" + ",".join(nested_json(v, kind.value_type) for v in value) + "]"
    return _scalar_json(value)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _of_floats(column: pa.Array) -> pa.Array:
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    text = column.cast(pa.string())
    # FOCUS 1.2, NumericFormat, knows no "E+"; and an id that became a float is an integer again
    scientific = pc.fill_null(pc.match_substring(text, "e+"), False)
    if pc.any(scientific).as_py():
        plain = [f"{Decimal(t):f}" for t in text.filter(scientific).to_pylist()]
        text = pc.replace_with_mask(text, scientific, pa.array(plain, pa.string()))
    return text


def _scalars(column: pa.Array) -> list[Any]:
    return column.to_pylist(maps_as_pydicts=None)  # type: ignore[no-any-return]


def _object(pairs: Any) -> str:
    return "{" + ",".join(f"{quote(key)}:{value}" for key, value in pairs) + "}"


def _unwrapped(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind) and [f.name for f in kind] == ["element"]:
        return kind.field(0).type
    return kind


def _unwrap(value: Any) -> Any:
    return value["element"] if list(value) == ["element"] else value


def _scalar_json(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else quote(str(value))
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return quote(value.isoformat())
    if isinstance(value, bytes):
        return quote(value.decode("utf-8", "backslashreplace"))
    return quote(str(value))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
