"""The template engine: escaping always on, a name that is missing is an error.

Belongs here: the environment and its filters. Does not: templates.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from attribution_pipeline.views.dashboard import amounts
from attribution_pipeline.views.dashboard.place import word

LONGEST = 80
"""Characters of a name that a cell shows; the whole of it is its title."""


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The one environment; templates are compiled once."""
    made = Environment(
        loader=PackageLoader("attribution_pipeline.views.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "money": amounts.money, "exact": amounts.exact, "aligned": amounts.aligned, "signed": amounts.signed,
        "whole": amounts.whole, "count": amounts.count, "day": amounts.day,
        "instant": amounts.instant, "moment": amounts.moment, "word": word, "visible": visible, "short": short, "minus": amounts.minus,
        "code": code,
    }  # fmt: skip
    made.globals |= {"percent": amounts.percent, "share": amounts.share}
    return made


def visible(text: object) -> str:
    """Text of the outside without characters that hide, reorder or break what is around them."""
    return "".join(
        letter if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        or letter == "\u200d" else "\ufffd"
        for letter in str(text)
    )  # fmt: skip


def code(text: object) -> Markup:
    """Text with `words between backticks` as code: escaped first, so that nothing in it is markup."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(visible(text)))))


def short(text: object) -> str:
    """What fits into a cell."""
    said = visible(text)
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
