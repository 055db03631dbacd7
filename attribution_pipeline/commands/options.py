"""Options that commands share, so that they are spelled and refused alike.

Belongs here: option types. Does not: what a command does with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from attribution_pipeline.model.errors import Refusal


def parse_day(text: str | date) -> date:
    """A UTC day of ``YYYY-MM-DD``."""
    if isinstance(text, date):
        return text
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day, write YYYY-MM-DD") from None


def parse_instant(text: str | datetime) -> datetime:
    """An instant in UTC of an ISO time; of a day, its end. A time without a zone is UTC."""
    if isinstance(text, datetime):
        return text
    try:
        if len(text) <= len("YYYY-MM-DD"):  # `20261005` would be midnight, not the day's end
            return datetime.combine(parse_day(text), time.max, UTC)
        instant = datetime.fromisoformat(text)
    except (ValueError, typer.BadParameter):
        raise typer.BadParameter(
            f"{text!r} is no time, write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ"
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def ordered(first: date | None, last: date | None) -> None:
    """Raises Refusal where the range runs backwards."""
    if first is not None and last is not None and first > last:
        raise Refusal(
            f"--from {first} is after --to {last}", remedy="give the earlier day as --from"
        )


@contextmanager
def usable_place() -> Iterator[None]:
    """Work in the machine's temporary place: where that can't be done it is one line, not a trace."""
    try:
        yield
    except OSError as error:
        raise Refusal(
            (error.strerror or str(error)).lower(),
            where=str(error.filename or "the machine's temporary place"),
            remedy="see that it exists, may be written and has space; nothing was changed",
        ) from error


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE",
        help="The deployment file. Default: $ATTRIBUTION_CONFIG, then ./attribution.yaml.",
    ),
]  # fmt: skip
From = Annotated[
    date,
    typer.Option("--from", parser=parse_day, metavar="DAY", help="First charge day, YYYY-MM-DD."),
]
To = Annotated[
    date | None,
    typer.Option("--to", parser=parse_day, metavar="DAY", help="Last charge day; default --from."),
]
MaybeFrom = Annotated[
    date | None,
    typer.Option("--from", parser=parse_day, metavar="DAY", help="Default: the first recorded."),
]
MaybeTo = Annotated[
    date | None,
    typer.Option("--to", parser=parse_day, metavar="DAY", help="Default: the last recorded."),
]
RecentFrom = Annotated[
    date | None,
    typer.Option(
        "--from", parser=parse_day, metavar="DAY", help="Default: the last 7 recorded days."
    ),
]
VerdictsOut = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="F", help="Write every verdict as JSON: number, query, rows behind it."
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", parser=parse_instant, metavar="TIME",
        help="As published then: an ISO time, or a day for the end of it (UTC). Default: now.",
    ),
]  # fmt: skip
Out = Annotated[Path | None, typer.Option("--out", metavar="F", help="Write to a file.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT",
        help="table, csv, json or parquet. Default: by the ending of --out, else table.",
    ),
]  # fmt: skip
TextFormat = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT",
        help="table, csv or json. Default: by the ending of --out, else table.",
    ),
]  # fmt: skip
