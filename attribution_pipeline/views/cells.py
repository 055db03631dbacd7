"""One value as text: in a CSV cell, in JSON, on a terminal.

Belongs here: exact, safe spellings of single values. Does not: which rows and columns.
"""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Any

FORMULA_STARTS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for a formula (OWASP, CSV injection), full-width forms included."""


def spelled(value: Any) -> str:
    """A non-null value: amounts with all their digits and no exponent, days and times in ISO."""
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case _:
            return str(value)


def csv_cell(value: Any) -> str:
    """A CSV cell (RFC 4180): null is empty, empty text is ``""``, no text can be a formula.

    Text that a spreadsheet would run is prefixed with an apostrophe and quoted; numbers are not
    text and keep their sign. JSON and Parquet carry such text unchanged.
    """
    if value is None:
        return ""
    text = spelled(value)
    if not isinstance(value, str):
        return text
    if text[:1] in FORMULA_STARTS and text:
        text = f"'{text}"
    elif text and not any(letter in text for letter in ",\"\r\n'") and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def json_value(value: Any) -> Any:
    """A JSON value: amounts and quantities as text, so that no reader makes them floats."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return spelled(value)


def terminal_cell(value: Any) -> str:
    """Text that a terminal shows and does not obey: control and format characters are escaped."""
    if value is None:
        return ""
    return "".join(
        letter if unicodedata.category(letter)[0] != "C" else f"\\u{ord(letter):04x}"
        for letter in spelled(value)
    )
