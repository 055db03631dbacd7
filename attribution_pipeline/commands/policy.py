"""``attribution policy``: check a version before it is published, see what it would change, list
what is published, bring back a file that is gone.

Belongs here: the command group. Does not: validation (``model.policy``), wording
(``model.policy_text``, ``views``), either side of a comparison (``orchestration.policy_diff``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import Config, From, Out, TextFormat, To, ordered
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy, Published
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.policy_diff import Side

NOT_EQUAL = 1
"""Status where the two sides of a comparison do not divide the same total."""

DIFF_FORMATS = ("table", "csv", "json")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    group = typer.Typer(
        help="Check policies before they are published, and see what they change.",
        short_help="Check policies, and see what one changes",
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

    In a deployment it also says which recorded days the version would govern, which of them are
    closed, and for the newest of them which rules took nothing, which charges no rule takes, and which
    models the bill and the calls name apart. A number
    that days were recorded under with another content is refused. Without --config and $ATTRIBUTION_CONFIG the deployment is the one
    in whose folder of policies FILE lies, else the one here.
    """
    from attribution_pipeline.model.policy import load_policies, load_published
    from attribution_pipeline.model.policy_text import render, summary, weighed
    from attribution_pipeline.views.policy_versions import reach_lines

    own = _own_deployment(file) if config is None else None
    house = _reached(own) if own else _house_if_any(config, needed=file is None)
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
        lines += [*summary(entry.policy), *weighed(entry.policy)]
        if house is not None:
            from attribution_pipeline.orchestration.policy_versions import reach

            lines += [f"held against {own}"] if own is not None else []
            reached = reach(house, entry)
            lines += reach_lines(reached)
            lines += _idle_rules(house, entry.policy, reached.governed or house.lake.days())
            lines += _unread(house, entry)
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

    Every day of the range is computed twice, whatever version is in force on it. Rules of B that took
    nothing on these days are named on stderr, and models that charges and calls name apart under B.
    """
    from attribution_pipeline.views import policy_diff as view
    from attribution_pipeline.views import rule_use as idle_rules
    from attribution_pipeline.views import unmet_models
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
    for line in [*_sides(house, *sides, first, last), *_if_published(house, sides[1], first, last)]:
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
    for line in idle_rules.lines(sides[1].policy, found.used_by_b, [day.day for day in found.days]):
        typer.echo(f"under B {line}" if not line.startswith(" ") else line, err=True)
    for one in found.unmet_by_b:
        typer.echo(f"under B, {unmet_models.line(one)}", err=True)
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
    """Write a used version's policy file again, from the lake's own copy.

    A file that has its number and another content is kept beside it, under a name that is read as no
    policy: nothing is lost.
    """
    from attribution_pipeline.orchestration.policy_versions import restore as restored

    found = restored(_house(config), version)
    if not found.written:
        typer.echo(f"{found.path}: version {version} is published as it was used")
        return
    typer.echo(f"wrote {found.path}")
    if found.aside is not None:
        published = found.path.with_name(f"policy-{found.free}.yaml")
        typer.echo(f"kept your edit as {found.aside}; to publish it:")
        typer.echo(f"  mv {found.aside} {published}   # and write `version: {found.free}` in it")


def _sides(house: House, a: Side, b: Side, first: date, last: date) -> list[str]:
    """Which policies are compared, and what about them could mislead."""
    from attribution_pipeline.model.policy.history import SHORT_DIGEST
    from attribution_pipeline.orchestration.span_attributes import unread_on_days
    from attribution_pipeline.views.policy_versions import unread

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
    for letter, side in (("A", a), ("B", b)):
        found = unread_on_days(house, side.policy, first, last)
        if found.objects:
            lines.append(
                f"note: of these days {unread(found.objects, found.names)}, so the figures of {letter} "
                "are without; landing reads them again where a published version that names them governs"
            )
    return lines


def _unread(house: House, entry: Published) -> list[str]:
    """What landing would read again for a version."""
    from attribution_pipeline.orchestration.span_attributes import names_of_days
    from attribution_pipeline.sources.attributes import unread
    from attribution_pipeline.views.policy_versions import unread_lines

    book = house.policies.including(entry)
    asked, own = names_of_days(house, book), frozenset(entry.policy.join.attribute_names())
    if asked is None:
        return []
    found = unread(house.landed, lambda begin, end: own & frozenset(asked(begin, end)))
    return unread_lines(found.objects, found.names, published=book is house.policies)


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


def _idle_rules(house: House, policy: Policy, days: Iterable[date]) -> list[str]:
    """Rules that took nothing on the newest of recorded days, charges of theirs that no rule takes, and
    models that charges and calls of the last of them name apart."""
    from attribution_pipeline.orchestration.rule_use import other_versions, recent, rules_used
    from attribution_pipeline.orchestration.unmet_models import unmet_on
    from attribution_pipeline.views import rule_use, unmet_models

    newest = recent(days)
    if not newest:
        return []
    use = rules_used(house, policy, newest)
    under = other_versions(house, policy, newest)
    unmet = [unmet_models.line(one) for one in unmet_on(house, policy, newest[-1])]
    return [*rule_use.lines(policy, use, newest, under), *rule_use.untaken(use), *unmet]


def _own_deployment(file: Path | None) -> Path | None:
    """The deployment file beside the folder of policies that ``file`` is or lies in, if that is its
    folder; none where the environment names a deployment."""
    import os

    from attribution_pipeline.config import FILE_NAME, VARIABLE, load_deployment

    if file is None or os.environ.get(VARIABLE):
        return None
    folder = (file if file.is_dir() else file.parent).resolve()
    beside = folder.parent / FILE_NAME
    if not beside.is_file() or load_deployment(beside).policies_folder.resolve() != folder:
        return None
    return beside


def _reached(own: Path) -> House | None:
    """The deployment that a file lies in, if its storage answers: nobody asked for it by name."""
    house = _house(own)
    try:
        house.lake.days()
    except (Refusal, OSError) as error:
        why = error.line() if isinstance(error, Refusal) else str(error)
        typer.echo(f"note: not held against {own}: {why}", err=True)
        return None
    return house


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
