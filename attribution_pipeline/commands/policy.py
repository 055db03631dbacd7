"""``attribution policy``: check a version before it is published, see what it would change, list
what is published, bring back a file that is gone.

Belongs here: the command group. Does not: validation (``model.policy``), wording
(``model.policy_text``, ``views``), either side of a comparison (``orchestration.policy_diff``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import Config, From, Out, TextFormat, To, ordered
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.policy_diff import Side

NOT_EQUAL = 1
"""Status where the two sides of a comparison do not divide the same total."""

DIFF_FORMATS = ("table", "csv", "json")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(
        help="Check policies before they are published, and see what they change.",
        no_args_is_help=True,
    )
    group.command("check")(check)
    group.command("diff")(diff)
    group.command("list")(list_)
    group.command("restore")(restore)
    app.add_typer(group, name="policy")


def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A policy, or a folder of them. Default: the deployment's."
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Print the whole runbook of the policy, as Markdown.")
    ] = False,
    config: Config = None,
) -> None:
    """Validate a policy; print what it says in a few lines. Refused: one line, status 2.

    In a deployment it also says which recorded days the version would govern, and which of them
    are closed. A number that days were recorded under with another content is refused.
    """
    from attribution_pipeline.model.policy import load_policies, load_published
    from attribution_pipeline.model.policy_text import render, summary
    from attribution_pipeline.views.policy_versions import reach_lines

    house = _house_if_any(config, needed=file is None)
    if file is None:
        assert house is not None  # else _house_if_any has refused
        file = house.deployment.policies_folder
        house.require_policy_history()
    entries = load_policies(file).published if file.is_dir() else [load_published(file)]
    lines: list[str] = []
    for entry in entries:
        if text:
            lines += render(entry.policy).splitlines()
            continue
        lines += summary(entry.policy)
        if house is not None:
            from attribution_pipeline.orchestration.policy_versions import reach

            lines += reach_lines(reach(house, entry))
    for line in lines:
        typer.echo(line)
    if not text:
        typer.echo(f"{file}: valid")


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A version number, or a policy file.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The same, for the other side.")],
    first: From,
    last: To = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="COLS", help="Groups. Default: tenant_id,component,pool; a row "
                     "without a tenant stands under its reason."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(metavar="COST", help="billed_cost or effective_cost. Default: what B's "
                     "chargeback sums."),
    ] = None,
    format_: TextFormat = None,
    out: Out = None,
    config: Config = None,
) -> None:  # fmt: skip
    """What B would change against A, on the evidence that is landed. Nothing is recorded.

    Every day of the range is computed twice, whatever version is in force on it.
    """
    from attribution_pipeline.views import policy_diff as view
    from attribution_pipeline.views.ledger import COSTS, grouping
    from attribution_pipeline.views.output import chosen_format
    from attribution_pipeline.views.output import write as write_rows

    last = last or first
    ordered(first, last)
    chosen = chosen_format(format_, out, DIFF_FORMATS)
    columns = grouping(by, never=view.NO_GROUPS) if by is not None else view.DEFAULT_BY
    if metric is not None and metric not in COSTS:
        raise Refusal(
            f"`{metric}` is no cost", where="--metric", remedy=f"use one of: {', '.join(COSTS)}"
        )
    house = _house(config)

    from attribution_pipeline.orchestration.policy_diff import policy_diff
    from attribution_pipeline.orchestration.policy_versions import side
    from attribution_pipeline.orchestration.run import require_days

    sides = side(house, a), side(house, b)
    require_days(house, first, last)
    chosen_metric = metric or sides[1].policy.settlement.metric
    for line in [*_sides(house, *sides), *_if_published(house, sides[1], first, last)]:
        typer.echo(line, err=True)
    found = policy_diff(
        house, *sides, first, last, by=columns, metric=chosen_metric,
        progress=lambda line: typer.echo(line, err=True),
    )  # fmt: skip
    rows = found.rows()
    summary = found.affected()
    write_rows(rows, chosen, out, typer.echo, lambda shown: [*view.table_lines(shown), *summary])
    if chosen != "table" or out is not None:
        for line in summary:
            typer.echo(line, err=True)
    if out is not None:
        typer.echo(f"wrote {out}: {rows.num_rows:,} groups", err=True)
    if not found.is_even:
        typer.echo("failed: the two sides do not divide the same total; this is a defect", err=True)
        raise typer.Exit(NOT_EQUAL)


def list_(config: Config = None) -> None:
    """Versions: from which day in force, digest, days recorded under each."""
    from attribution_pipeline.orchestration.policy_versions import versions
    from attribution_pipeline.views.policy_versions import table_lines

    for line in table_lines(versions(_house(config))):
        typer.echo(line)


def restore(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="A version that was used.")],
    config: Config = None,
) -> None:
    """Write a used version's policy file again, from the lake's own copy. Overwrites nothing."""
    from attribution_pipeline.orchestration.policy_versions import restore as restored

    path, is_new = restored(_house(config), version)
    typer.echo(
        f"wrote {path}" if is_new else f"{path}: version {version} is published as it was used"
    )


def _sides(house: House, a: Side, b: Side) -> list[str]:
    """Which policies are compared, and what about them could mislead."""
    from attribution_pipeline.model.policy.history import SHORT_DIGEST

    lines = [
        f"{letter}: {side.policy.policy} {side.called}, in force from charge day "
        f"{side.policy.effective_from}, digest {side.policy.digest[:SHORT_DIGEST]}"
        for letter, side in (("A", a), ("B", b))
    ]
    if a.policy.settlement.metric != b.policy.settlement.metric:
        lines.append(
            f"note: chargeback sums {a.policy.settlement.metric} under A and "
            f"{b.policy.settlement.metric} under B; see both with --metric"
        )
    kept = set(house.policies.attribute_aliases())
    for letter, side in (("A", a), ("B", b)):
        lost = sorted(set(side.policy.join.attribute_names()) - kept)
        if lost:
            lines.append(
                f"note: {letter} reads span attributes that no published version names, so landing "
                f"did not keep them: {', '.join(lost)}"
            )
    return lines


def _if_published(house: House, b: Side, first: date, last: date) -> list[str]:
    """Which of the days B would govern: they are compared whether it does or not."""
    from attribution_pipeline.orchestration.policy_versions import governed
    from attribution_pipeline.views.day_ranges import counted

    if b.draft is None:
        return []
    try:
        days = governed(house, b.draft, first, last)
    except Refusal as refusal:
        return [f"note: B cannot be published as it is: {refusal.line()}"]
    if not days:
        return ["note: once published, B governs none of these days"]
    return [f"once published, B governs {counted(days)}"]


def _house(config: Path | None) -> House:
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House

    return House(load_deployment(config))


def _house_if_any(config: Path | None, *, needed: bool) -> House | None:
    """The deployment, where one is named or lies here: a policy may be checked without any."""
    import os

    from attribution_pipeline.config import VARIABLE, deployment_path

    named = config is not None or bool(os.environ.get(VARIABLE))
    return _house(config) if needed or named or deployment_path(config).is_file() else None
