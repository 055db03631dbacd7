"""``attribution ledger``: reads what is recorded, as it stands or as it stood.

Belongs here: the command, and what it tells of the days and states that were read. Does not: sums,
order and formats (``views``), files (``lake``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import AsOf, Config, MaybeFrom, MaybeTo, ordered
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.lake.states import Published

DAYS_NAMED = 5
"""Missing days that a note names; more are counted."""

LEDGER = "ledger"
TABLES = {LEDGER: LEDGER, "revisions": "ledger_revisions", "variances": "variances"}
"""``--table`` to the table that is read."""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("ledger", short_help="Read the ledger")(ledger)


def ledger(
    first: MaybeFrom = None,
    last: MaybeTo = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLS", help="Sum both costs by these columns: a,b,c.")
    ] = None,
    as_of: AsOf = None,
    table: Annotated[
        str,
        typer.Option(metavar="TABLE", help="ledger; revisions: every change of a row; variances: "
                     "what closed periods hold back."),
    ] = LEDGER,
    revisions: Annotated[
        bool, typer.Option("--revisions", help="The same as --table revisions.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="table, csv, json or parquet. "
                     "Default: by the ending of --out, else table."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="F", help="Write to a file.")] = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Read the ledger: every row, or sums by columns; exact amounts in every format.

    With --as-of each day is read in the newest state that was published by then. With --out every
    file behind the rows, and every log, is hashed before a row is written.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views import ledger as view
    from attribution_pipeline.views import revisions as changes
    from attribution_pipeline.views.output import chosen_format

    ordered(first, last)
    read = _table(table, revisions=revisions, by=by)
    chosen = chosen_format(format_, out)
    deployment = load_deployment(config)

    from attribution_pipeline.lake import Lake

    columns = view.grouping(by) if by is not None else None
    lake = Lake(deployment.storage_folder)
    span = _recorded(lake, first, last, as_of)
    if out is not None:
        # what leaves the house is believed elsewhere: everything that it stands on is hashed first
        lake.verify(span.first, span.last, as_of)
    if read != LEDGER:
        rows = changes.in_order(lake.read(read, span.first, span.last, as_of=as_of), read)
        changes.write(rows, read, chosen, out, typer.echo)
        if chosen != "table" or out is not None:
            for line in changes.footer(rows, read):
                typer.echo(line, err=True)
    else:
        needed = [*columns, view.CURRENCY, *view.COSTS] if columns is not None else None
        rows = lake.read(LEDGER, span.first, span.last, needed, as_of=as_of)
        rows = view.in_order(rows) if columns is None else view.summed(rows, columns)
        view.write(rows, chosen, out, typer.echo)
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} rows", err=True)


def _table(named: str, *, revisions: bool, by: str | None) -> str:
    if named not in TABLES:
        raise Refusal(
            f"`{named}` is no table", where="--table", remedy=f"use one of: {', '.join(TABLES)}"
        )
    if revisions and named == "variances":
        raise Refusal("--revisions and --table variances are two", remedy="leave one out")
    read = TABLES["revisions"] if revisions else TABLES[named]
    if by is not None and read != LEDGER:
        raise Refusal(
            "sums are of the ledger", where="--by", remedy="leave it out, or leave out --table"
        )
    return read


@dataclass(frozen=True)
class _Span:
    """Days to read, both included."""

    first: date
    last: date


def _recorded(lake: Lake, first: date | None, last: date | None, as_of: datetime | None) -> _Span:
    """The range to read. Days of it that are not recorded are told on stderr, never hidden; so is
    which states ``--as-of`` reads."""
    days = lake.days(as_of)
    inside = {
        day: state
        for day in days
        if (not first or first <= day)
        and (not last or day <= last)
        and (state := lake.head(day, as_of)) is not None
    }
    then = f" by {_instant(as_of)}" if as_of is not None else ""
    if not inside:
        raise _nothing(lake, days, then)
    there = sorted(inside)
    span = _Span(first or there[0], last or there[-1])
    _tell_missing(span, inside, then)
    if as_of is not None:
        typer.echo(_states_read(inside, as_of), err=True)
    return span


def _nothing(lake: Lake, days: Sequence[date], then: str) -> Refusal:
    """No day of the range is recorded, or none was ``then``."""
    where = str(lake.storage)
    known = f"{days[0]} to {days[-1]}" if days else ""
    if then:
        said = f"recorded then were {known}" if known else "nothing was recorded then"
        remedy = "name a later time, or leave out --as-of"
        return Refusal(
            f"no day of the range was recorded{then} ({said})", where=where, remedy=remedy
        )
    said = f"recorded are {known}" if known else "nothing is recorded yet"
    remedy = "run it first: attribution run --from DAY --to DAY"
    return Refusal(f"no day of the range is recorded ({said})", where=where, remedy=remedy)


def _tell_missing(span: _Span, inside: Mapping[date, Published], then: str) -> None:
    count = ((span.last - span.first).days + 1) if span.last >= span.first else 0
    missing = [
        day for day in (span.first + timedelta(days=n) for n in range(count)) if day not in inside
    ]  # fmt: skip
    if missing:
        named = ", ".join(day.isoformat() for day in missing[:DAYS_NAMED])
        more = ", ..." if len(missing) > DAYS_NAMED else ""
        typer.echo(
            f"not recorded{then}, so not in this: {len(missing)} of {count} days ({named}{more})",
            err=True,
        )


def _states_read(inside: Mapping[date, Published], as_of: datetime) -> str:
    """Which policy versions and states stood then."""
    versions = Counter((state.policy, state.policy_version) for state in inside.values())
    under = ", ".join(
        f"{policy} version {version} ({_days(count)})"
        for (policy, version), count in sorted(versions.items())
    )
    earliest = min(state.published_at for state in inside.values())
    latest = max(state.published_at for state in inside.values())
    return (
        f"as of {_instant(as_of)}: {_days(len(inside))}, one state each, published "
        f"{_instant(earliest)} to {_instant(latest)}, under {under}"
    )


def _days(count: int) -> str:
    return f"{count} day" + ("" if count == 1 else "s")


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
