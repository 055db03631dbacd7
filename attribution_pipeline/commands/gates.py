"""``attribution gates``: OpenCost's known faults, asked of a recorded day.

Belongs here: the command, its lines and its exit status. Does not: the gates
(``attribution.opencost_gates``), the same question as an asset check (``orchestration.checks``).

Exit status: 0 no more was noticed than the policy's ``tolerance.findings``; 1 more.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from attribution_pipeline.commands.options import Config, parse_day

NOTICED = 1


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("gates", short_help="OpenCost's known faults, asked of a day")(gates)


def gates(
    day: Annotated[date, typer.Argument(parser=parse_day, metavar="DAY", help="YYYY-MM-DD.")],
    config: Config = None,
) -> None:
    """Ask every entry of the register of OpenCost's faults of a recorded day (docs/opencost-gates.md).

    Below it, where there is something to say: tenant totals as recorded and under either price of a
    node that has two, and OpenCost's cost of each node type beside its bill.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.checks.answers import RecordedDay
    from attribution_pipeline.orchestration.checks.opencost import look
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.views import opencost_gates as view

    recorded = RecordedDay(House(load_deployment(config)), day)
    looked = look(recorded)
    typer.echo(view.register_table(looked.gates))
    tables = {
        "Tenant totals with and without the filter": (looked.totals, view.TOTALS_COLUMNS),
        "OpenCost beside the bill": (looked.variance, view.VARIANCE_COLUMNS),
    }
    for title, (rows, columns) in tables.items():
        if rows:
            numbers = [name for name in columns if name not in view.NAMES]
            typer.echo(f"\n{title}\n{view.plain(rows, columns, right=numbers)}")
    tripped = [gate for gate in looked.gates if not gate.passed]
    for gate in tripped:
        typer.echo(f"\n{gate.item.name} ({', '.join(gate.item.issues)}): {gate.item.effect}")
        for found in gate.findings:
            typer.echo(f"  {found['severity']}  {found['subject']}: {found['detail']}")
        typer.echo(f"  do: {gate.item.remedy}")
    if looked.noticed > recorded.policy.tolerance.findings:
        raise typer.Exit(NOTICED)
