"""``attribution spend``: what people look at first, by product, workflow, model, platform or owner.

Belongs here: the command. Does not: the views (``views.spend``), formats (``views.output``).
"""

from __future__ import annotations

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
from attribution_pipeline.commands.recorded_span import recorded_span
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    import pyarrow as pa

HIGHLIGHTS, BACKLOG = "highlights", "backlog"


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("spend", short_help="Spend by product, workflow, model, owner; what stands out")(
        spend
    )


def spend(
    view: Annotated[
        str,
        typer.Argument(metavar="VIEW", help="highlights; business, product, workflow, model, "
                       "platform, governance; backlog: what to label first."),
    ] = HIGHLIGHTS,
    first: MaybeFrom = None,
    last: MaybeTo = None,
    as_of: AsOf = None,
    format_: Format = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Views of what is recorded. Every row says how sure it is, what may still move and under which
    policy versions it stands; sums are of the policy's settlement metric and exact.
    """
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.proof.replay import clean_place
    from attribution_pipeline.views import day_ranges, output
    from attribution_pipeline.views.daily import open_daily
    from attribution_pipeline.views.spend import VIEWS, spend_view
    from attribution_pipeline.views.spend.anomalies import recorded_anomalies
    from attribution_pipeline.views.spend.highlights import READS, as_table, highlights
    from attribution_pipeline.views.spend.table import earlier_days, earlier_said, table_lines

    if view not in (HIGHLIGHTS, *VIEWS):
        raise Refusal(
            f"`{view}` is no view", where="VIEW",
            remedy=f"use one of: {', '.join((HIGHLIGHTS, *VIEWS))}",
        )  # fmt: skip
    ordered(first, last)
    chosen = output.chosen_format(format_, out)
    house = House(load_deployment(config))
    lake = house.lake
    span = recorded_span(lake, first, last, as_of)
    newest = max(day for day in lake.days(as_of) if span.first <= day <= span.last)
    head = lake.head(newest, as_of)
    assert head is not None, "the newest recorded day is recorded"
    metric = lake.policies.load(lake.document(head)["policy"]["file"]).settlement.metric

    reads = VIEWS[view].reads if view in VIEWS else READS
    landed = house.landed if as_of is None else house.landed.by(as_of)
    scheduled = house.deployment.scheduled_workflows
    with usable_place(), clean_place() as scratch, session(house.compute(scratch)) as db:
        opened = open_daily(
            db, lake, span.first, span.last, reads,
            landed=landed, as_of=as_of, compute=house.compute(scratch),
        )  # fmt: skip
        computed = {day for days in opened.computed.values() for day in days}
        rows: pa.Table
        if view in VIEWS:
            rows = spend_view(db, view, metric)
        else:
            unusual, before = recorded_anomalies(
                lake, metric, newest, as_of=as_of, compute=house.compute(scratch)
            )
            computed |= {day for days in before.computed.values() for day in days}
            rows = as_table(highlights(db, metric, newest, unusual=unusual, scheduled=scheduled))
        # whatever asks for labels leaves out what none mends, and says so
        earlier = earlier_said(earlier_days(db, metric)) if view in (HIGHLIGHTS, BACKLOG) else ""
    output.write(rows, chosen, out, typer.echo, table_lines)
    if chosen == "table":
        typer.echo(f"\n{span.first} to {span.last}, {metric}", err=True)
    if earlier:
        typer.echo(earlier, err=True)
    if computed:
        typer.echo(
            f"computed from the ledger, for want of roll-ups: {day_ranges.counted(computed)}; "
            "a run of the day makes them",
            err=True,
        )
