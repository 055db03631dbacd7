"""``attribution explain``: why spend moved between two periods.

Belongs here: the command, its options and what of the lake it reads. Does not: the method
(docs/explain.md), figures, words and formats (``views``).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import (
    AsOf,
    Config,
    From,
    Out,
    TextFormat,
    To,
    ordered,
    parse_day,
    parse_instant,
    usable_place,
)
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake import Lake
    from attribution_pipeline.views.explain import Period, Rows

FORMATS = ("table", "csv", "json")
PARTS, REQUESTS = "parts", "requests"
TABLES = (PARTS, REQUESTS)
"""``--table``: what csv and json hold."""

TOP = 5
TOP_WRITTEN = 100
"""Requests that a file holds where ``--top`` is not given."""
MOST_TOP = 100_000


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("explain", short_help="Why spend moved between two periods")(explain)


def explain(
    first: From,
    last: To = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="FROM..TO", help="The period to compare with; a day, or both ends. "
                     "Default: as many days, just before --from."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="T", help="Whose spend. Default: everybody's.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="COLS", help="Groups: tenant, workflow, model, one or more. "
                     "Default: workflow; tenant where no --tenant is named."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=0, max=MOST_TOP, help=f"Requests to show. Default: {TOP}; "
                     f"{TOP_WRITTEN} in csv and json."),
    ] = None,
    table: Annotated[
        str, typer.Option(metavar="TABLE", help="Of csv and json: parts, or requests.")
    ] = PARTS,
    metric: Annotated[
        str | None,
        typer.Option(metavar="COST", help="billed_cost or effective_cost. Default: what the newest "
                     "day's policy sums for chargeback."),
    ] = None,
    late_since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="What is late data: recorded after a day was first "
                     "`settled`, after it was first `recorded`, or after a time."),
    ] = "settled",
    as_of: AsOf = None,
    format_: TextFormat = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Why spend moved: requests, prompt size, output length, cache, retries, model mix and price,
    and beside them own machines, shared, idle and overhead cost, late data and policy changes.

    The parts sum to the change to the last digit. Method: docs/explain.md. With --out every file
    behind the rows, and every log, is hashed before a row is written.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.views import explain as view
    from attribution_pipeline.views import output
    from attribution_pipeline.views.explain import periods, told
    from attribution_pipeline.views.ledger import COSTS

    last = last or first
    ordered(first, last)
    before = _against(against, first, last)
    chosen = output.chosen_format(format_, out, FORMATS)
    groups = _groups(by, tenant)
    if table not in TABLES:
        raise Refusal(
            f"`{table}` is no table", where="--table", remedy=f"use one of: {', '.join(TABLES)}"
        )
    if metric is not None and metric not in COSTS:
        raise Refusal(
            f"`{metric}` is no cost", where="--metric", remedy=f"use one of: {', '.join(COSTS)}"
        )
    since = late_since if late_since in periods.SINCE else parse_instant(late_since)
    deployment = load_deployment(config)

    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.proof.replay import clean_place

    house = House(deployment)
    then, now = (
        periods.read_period(house.lake, *ends, as_of=as_of, since=since)
        for ends in (before, (first, last))
    )
    if out is not None:
        # what leaves the house is believed elsewhere: everything that it stands on is hashed first
        for period in (then, now):
            house.lake.verify(period.first, period.last, as_of)
    chosen_metric = metric or _metric(house.lake, now, as_of)
    requests = None
    with usable_place(), clean_place() as scratch:
        means = view.Means(house.lake, house.landed, deployment.key_ring, house.compute)
        then, now = view.under_one_rule(means, then, now, scratch)
        for note in periods.notes(then, now):
            typer.echo(note, err=True)
        with view.opened(then, now, tenant, chosen_metric, house.compute(scratch)) as rows:
            _require_tenant(rows, tenant, then, now)
            found = view.explain(rows)
            if chosen == "table" and top != 0:
                requests = rows.requests(found.usual, top or TOP)
            elif table == REQUESTS:
                requests = rows.requests(found.usual, TOP_WRITTEN if top is None else top)
    columns = [column for name in groups for column in view.GROUPS[name]]
    shown = found.table(columns, chosen_metric)
    if requests is not None and chosen != "table":
        shown = requests
    output.write(
        shown, chosen, out, typer.echo,
        lambda _: told.lines(
            found, then, now, tenant=tenant, metric=chosen_metric, by=groups, requests=requests
        ),
    )  # fmt: skip
    if out is not None:
        typer.echo(f"wrote {out}: {shown.num_rows:,} rows", err=True)


def _against(named: str | None, first: date, last: date) -> tuple[date, date]:
    """Both ends of ``--against``; without it as many days, just before."""
    if named is None:
        length = (last - first).days + 1
        return first - timedelta(days=length), first - timedelta(days=1)
    begin, dots, end = named.partition("..")
    try:
        ends = parse_day(begin), parse_day(end if dots else begin)
    except typer.BadParameter:
        raise Refusal(
            f"`{named}` is no period", where="--against",
            remedy="write a day, or both ends as 2026-10-01..2026-10-07",
        ) from None  # fmt: skip
    if ends[0] > ends[1]:
        raise Refusal(
            f"`{named}` ends before it begins",
            where="--against",
            remedy="give the earlier day first",
        )
    return ends


def _groups(by: str | None, tenant: str | None) -> list[str]:
    """Names of ``GROUPS``."""
    from attribution_pipeline.model.strict import nearest
    from attribution_pipeline.views.explain import GROUPS

    if by is None:
        return ["workflow"] if tenant is not None else ["tenant"]
    names = [name.strip() for name in by.split(",") if name.strip()]
    if not names:
        raise Refusal("names no group", where="--by", remedy="as in --by workflow,model")
    for name in names:
        if name not in GROUPS:
            raise Refusal(f"`{name}` is no group", where="--by", remedy=nearest(name, GROUPS))
        if names.count(name) > 1:
            raise Refusal(f"`{name}` is named twice", where="--by", remedy="name it once")
    return names


def _metric(lake: Lake, now: Period, as_of: datetime | None) -> str:
    """What the policy of the newest day sums for chargeback."""
    from attribution_pipeline.proof.replay_frozen import policy_of
    from attribution_pipeline.views.explain.periods import newest_state

    metric: str = policy_of(lake, lake.document(newest_state(lake, now, as_of))).settlement.metric
    return metric


def _require_tenant(rows: Rows, tenant: str | None, then: Period, now: Period) -> None:
    from attribution_pipeline.model.strict import nearest

    if tenant is None:
        return
    known = rows.tenants()
    if tenant not in known:
        raise Refusal(
            f"`{tenant}` has no cost in {then.name} nor in {now.name}", where="--tenant",
            remedy=nearest(tenant, known) if known else "nobody has: see attribution ledger",
        )  # fmt: skip
