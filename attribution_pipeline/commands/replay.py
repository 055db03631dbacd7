"""``attribution replay``: recorded days, computed again from frozen inputs.

Belongs here: the command, its lines and its exit status. Does not: verdicts and comparisons
(``proof``), what of the deployment they take (``orchestration.replaying``).

Exit status, the worst of the days in this order: 5 a recorded day does not conserve, or its roll-ups
disagree; 4 same inputs, other result; 3 an input is missing or was changed; 0 reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attribution_pipeline.commands.options import AsOf, Config, From, To, ordered, usable_place
from attribution_pipeline.model.errors import Refusal

if TYPE_CHECKING:
    from attribution_pipeline.lake.states import Published
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.proof.replay import DayReplay
    from attribution_pipeline.proof.replay_under import DayComparison
    from attribution_pipeline.proof.roll_ups import Gate


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("replay", short_help="Compute recorded days again and compare")(replay)


def replay(
    first: From,
    last: To = None,
    policy: Annotated[
        int | None,
        typer.Option("--policy", metavar="V", min=1,
                     help="Compare with this policy version; writes a comparison, never the ledger."),
    ] = None,
    as_of: AsOf = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the comparison goes. Default: a folder under "
                     "`comparisons` in the storage, or beside the deployment file."),
    ] = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Recompute recorded days from frozen inputs in a clean place and compare row by row.

    Status: 0 reproduced; 3 an input is missing or was changed; 4 same inputs, other result; 5 a
    recorded day does not conserve. The worst of the days decides, 5 before 4 before 3.

    With --policy V: each day under version V, beside what is recorded; with --as-of TIME too, on the
    evidence that the state of that time was computed from, else on today's evidence.
    """
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House

    last = last or first
    ordered(first, last)
    if out is not None and policy is None:
        raise Refusal(
            "a replay without --policy writes nothing", where="--out", remedy="leave it out"
        )
    house = House(load_deployment(config))
    _require_logs(house)
    states = _states(house, first, last, as_of)
    with usable_place():
        if policy is None:
            status = _replayed(house, states, as_of)
        else:
            status = _compared(house, states, policy, as_of, out)
    if status:
        raise typer.Exit(status)


def _require_logs(house: House) -> None:
    """No day is looked for in a log that is not what was committed: status 3, the file named."""
    from attribution_pipeline.orchestration.replaying import damaged_log
    from attribution_pipeline.proof.replay import INPUT_GONE, SAID, one_line

    problem = damaged_log(house)
    if problem is not None:
        typer.echo(f"{SAID[INPUT_GONE]}: {one_line(problem)}")
        raise typer.Exit(INPUT_GONE)


def _states(house: House, first: date, last: date, as_of: datetime | None) -> list[Published]:
    """The states to replay, oldest day first; days without one are told on stderr."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    states = {day: house.lake.head(day, as_of) for day in days}
    then = "" if as_of is None else f" by {as_of.isoformat(timespec='seconds')}"
    found = [state for state in states.values() if state is not None]
    if not found:
        raise Refusal(
            f"no day from {first} to {last} is recorded{then}",
            where=str(house.lake.storage),
            remedy="name recorded days, or a later time"
            if as_of is not None
            else f"run them first: attribution run --from {first} --to {last}",
        )
    for day, state in states.items():
        if state is None:
            typer.echo(f"{day}  not recorded{then}, so not replayed", err=True)
    return found


def _replayed(house: House, states: Sequence[Published], as_of: datetime | None) -> int:
    from attribution_pipeline.orchestration.replaying import replay as replay_state
    from attribution_pipeline.proof.replay import worst

    verdicts: list[DayReplay] = []
    for state in states:
        verdict = replay_state(house, state, check_logs=False)
        verdicts.append(verdict)
        typer.echo(verdict.line())
        for difference in verdict.differences:
            typer.echo(f"  {difference.line()}", err=True)
    typer.echo("")
    for line in _variance(verdicts):
        typer.echo(line)
    typer.echo("")
    status = max(worst(verdicts), _gates(house, states, as_of))
    good = sum(verdict.reproduced for verdict in verdicts)
    typer.echo(f"reproduced: {good} of {len(verdicts)} days")
    return status


def _variance(verdicts: Sequence[DayReplay]) -> Iterator[str]:
    """Sums of |recorded - replayed| per method, kernel and currency, over all days compared."""
    from attribution_pipeline.model.money import to_decimal, to_quanta
    from attribution_pipeline.views.text_table import text_table

    sums: dict[tuple[str, str, str], list[int]] = {}
    for verdict in verdicts:
        for row in verdict.compared.variance if verdict.compared else ():
            found = sums.setdefault((row.method, row.kernel, row.currency), [0, 0, 0, 0])
            amounts = (to_quanta(row.billed_cost)[0], to_quanta(row.effective_cost)[0])
            for place, value in enumerate((row.rows, row.differing, *amounts)):
                found[place] += value
    head = ["method", "kernel", "currency", "rows", "differing", "billed_cost", "effective_cost"]
    rows = [
        [*key, f"{rows:,}", f"{differing:,}", *(f"{to_decimal(cost):f}" for cost in costs)]
        for key, (rows, differing, *costs) in sorted(sums.items())
    ]
    if rows:
        yield from text_table(head, rows, right=head[3:]).splitlines()
        yield "costs: sums of |recorded - replayed|"


def _gates(house: House, states: Sequence[Published], as_of: datetime | None) -> int:
    """The normalization gate over the same days, and over their months as they stand."""
    from attribution_pipeline.orchestration.replaying import gate_of_day, gate_of_month
    from attribution_pipeline.proof.replay import INPUT_GONE, NOT_CONSERVED, REPRODUCED

    worst = REPRODUCED
    months = sorted({state.day.replace(day=1) for state in states}) if as_of is None else []
    asked: list[tuple[str, Callable[[], Gate]]] = [
        *((f"{state.day}", partial(gate_of_day, house, state)) for state in states),
        *((f"{month:%Y-%m}", partial(gate_of_month, house, month)) for month in months),
    ]
    for subject, ask in asked:
        try:
            gate = ask()
        except Refusal as refusal:
            typer.echo(f"{subject}  roll-ups not compared: {refusal.line()}")
            worst = max(worst, INPUT_GONE)
            continue
        typer.echo(gate.line())
        for group in gate.apart:
            typer.echo(f"  {group.text()}", err=True)
        worst = max(worst, REPRODUCED if gate.passed else NOT_CONSERVED)
    return worst


def _compared(
    house: House,
    states: Sequence[Published],
    version: int,
    as_of: datetime | None,
    out: Path | None,
) -> int:
    from attribution_pipeline.orchestration import replaying

    rule = replaying.version_of(house, version)
    folder = out or _folder(house, states, version, as_of)
    folder.mkdir(parents=True, exist_ok=True)
    found: list[DayComparison] = []
    for state in states:
        if as_of is not None:
            compared = replaying.compare_on_then(house, state, rule, as_of, folder)
        else:
            compared = replaying.compare_on_today(house, state, rule, folder)
        found.append(compared)
        typer.echo(compared.line())
    files = [compared.file for compared in found if compared.file is not None]
    if files:
        typer.echo("")
        for line in _tenants(house, files, folder, rule.settlement.metric):
            typer.echo(line)
    return max(compared.code for compared in found)


def _folder(
    house: House, states: Sequence[Published], version: int, as_of: datetime | None
) -> Path:
    when = "today" if as_of is None else as_of.strftime("as-of-%Y%m%dT%H%M%SZ")
    days = f"{states[0].day}_{states[-1].day}"
    return house.own_folder / "comparisons" / f"{days}_version-{version}_{when}"


def _tenants(house: House, files: Sequence[Path], folder: Path, metric: str) -> Iterator[str]:
    from attribution_pipeline.model.money import to_decimal, to_quanta
    from attribution_pipeline.orchestration.replaying import tenants_of
    from attribution_pipeline.proof.replay_under import TENANTS_FILE
    from attribution_pipeline.views.text_table import text_table

    columns = [f"recorded_{metric}", f"replayed_{metric}", f"delta_{metric}"]
    head = ["tenant", "currency", *columns]
    found = tenants_of(house, files, folder)
    rows = [
        [
            row["tenant_id"] or f"({row['unallocated_reason']})",
            row["billing_currency"] or "",
            *(f"{row[name]:f}" for name in columns),
        ]
        for row in found
    ]
    yield from text_table(head, rows, right=columns).splitlines()
    totals: dict[str, list[int]] = {}
    for row in found:
        sums = totals.setdefault(row["billing_currency"] or "", [0, 0, 0])
        for place, name in enumerate(columns):
            sums[place] += to_quanta(row[name])[0]
    for currency, sums in sorted(totals.items()):
        recorded, replayed, delta = (f"{to_decimal(amount):f}" for amount in sums)
        yield f"total {currency}: recorded {recorded}, replayed {replayed}, difference {delta}"
    noun = "day" if len(files) == 1 else "days"
    yield (
        f"wrote {len(files)} {noun} of rows, both costs, and {TENANTS_FILE} to {folder}; "
        "the ledger is untouched"
    )
