"""``attribution outcomes``: what came of operations, and what a useful outcome cost.

Belongs here: the command. Does not: the join and the sums (``views.outcomes``), formats
(``views.output``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import (
    AsOf,
    Config,
    Format,
    MaybeFrom,
    MaybeTo,
    Out,
    ordered,
    usable_place,
)
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

MOST_SHOWN = 200
"""Rows of the table on a terminal: more is scrolled past, not read."""


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("outcomes", short_help="Cost per useful outcome")(outcomes)


def outcomes(
    first: MaybeFrom = None,
    last: MaybeTo = None,
    by: Annotated[
        str, typer.Option(metavar="COLS", help="Sum by these: kind, tenant_id, feature, workflow_id, "
                          "agent, model.")
    ] = "kind",
    each: Annotated[
        bool, typer.Option("--each", help="Every outcome with its operation and cost instead.")
    ] = False,
    as_of: AsOf = None,
    format_: Format = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Read outcomes of days joined to their operations: how many, how many useful, what they cost.

    The cost is of all operations that have an outcome of the group, each once, useful or not. What no
    recorded operation answers to is unmatched and stays in the counts. Outcomes move no money.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.outcomes import outcomes_of
    from attribution_pipeline.views import output
    from attribution_pipeline.views.outcomes import BY

    ordered(first, last)
    chosen = output.chosen_format(format_, out)
    columns = list(dict.fromkeys(name.strip() for name in by.split(",") if name.strip()))
    unknown = [name for name in columns if name not in BY]
    if unknown or not columns:
        raise Refusal(
            f"`{unknown[0]}` is no column of outcomes" if unknown else "names no column",
            where="--by", remedy=f"use {', '.join(BY)}",
        )  # fmt: skip
    house = House(load_deployment(config))
    days = house.lake.days(as_of)
    if not days:
        raise Refusal(
            "no day is recorded", where=str(house.lake.storage),
            remedy="run one first: attribution run --from DAY --to DAY",
        )  # fmt: skip
    with usable_place():
        found = outcomes_of(house, first or days[0], last or days[-1], by=columns, as_of=as_of)
    rows = found.rows if each else found.summed
    output.write(rows, chosen, out, typer.echo, _lines)
    said = found.found
    typer.echo(
        f"{said.outcomes:,} outcomes, {said.unmatched:,} without a recorded operation, "
        f"{said.repeated:,} records said twice; {said.operations:,} operations; {found.metric}",
        err=True,
    )
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} rows", err=True)


def _lines(rows: pa.Table) -> Iterator[str]:
    from attribution_pipeline.views.cells import terminal_cell
    from attribution_pipeline.views.output import records
    from attribution_pipeline.views.text_table import text_table

    body = [[terminal_cell(value) for value in one] for one in records(rows[:MOST_SHOWN])]
    right = [name for name in rows.column_names if name.endswith(("_cost", "_useful", "value"))]
    right += [name for name in ("outcomes", "useful", "unmatched") if name in rows.column_names]
    yield from text_table(rows.column_names, body, right=right).splitlines()
    if rows.num_rows > MOST_SHOWN:
        yield f"{rows.num_rows:,} rows, of which the first {MOST_SHOWN} are shown"
