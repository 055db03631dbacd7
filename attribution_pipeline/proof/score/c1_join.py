"""C1: requests join the bill, and the join can be made again from what was landed.

Belongs here: the sample, its comparison, coverage of its slices. Does not: computing a day from
landed objects (``Asked.derive``).

Not from kept evidence and not from the ledger: planes are computed anew from the landed objects that
stood when the state was recorded, and the engine divides them again.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.requests import of_files, request_rows
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.proof.ratio import NO_EVIDENCE, cut, plain
from attribution_pipeline.proof.replay import one_line
from attribution_pipeline.proof.routes import Route
from attribution_pipeline.proof.score.asked import Asked, of_route, read
from attribution_pipeline.proof.score.verdict import Rows, Verdict

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

QUESTION, TITLE = "C1", "request join"

SAMPLE = 1_000
"""Operation-charges of a slice (design page 40, C1)."""
SETTLED_DAYS = 7
"""The last settled days that they are chosen from (design page 40, C1)."""

NOT_DERIVED, OUTSIDE = "not_derived", "coverage_outside_tolerance"

REMEDY = "attribution replay of those days names what moved; restore the named files from a copy."
NOTHING_SETTLED = (
    "no settled day has operation-charges of the slice: close the billing period (attribution "
    "close), and run its days"
)

Coverage = Mapping[str, Any]


def judge(asked: Asked) -> list[Verdict]:
    """One verdict a route slice of the days asked or of the settled ones."""
    if not asked.settled:
        return [_nothing(asked, route) for route in asked.routes]
    with asked.session(asked.settled, "ledger", "operation_costs", "operations") as db:
        db.execute(read("sample", most=str(SAMPLE)))
        meters = db.table(read("metered_by")).to_pylist()
        coverage, problems = _derive(asked, db)
        again = db.table(read("sampled_again")).to_pylist()
    routes = sorted({*asked.routes, *(Route.of(row) for row in again)}, key=lambda one: one.order)
    return [
        _verdict(
            asked, route, of_route(again, route), _of_meters(coverage, meters, route), problems
        )
        for route in routes
    ]


def _derive(asked: Asked, db: Session) -> tuple[list[Coverage], list[str]]:
    """Table ``derived`` of the sampled rows, coverage of all days, and what stopped a day."""
    coverage: list[Coverage] = []
    problems: list[str] = []
    db.execute("create table derived as select * from sample limit 0")
    for recorded in asked.settled:
        day = recorded.day
        folder = asked.scratch / f"derived-{day}"
        folder.mkdir(parents=True)
        try:
            outcome = asked.derive(recorded.state, folder)
        except (Refusal, Broken, OSError) as problem:
            problems.append(f"{day}: {one_line(problem)}")
            continue
        coverage += outcome.coverage.to_pylist()
        costs, called = (
            of_files(outcome.files[name]) for name in ("operation_costs", "operations")
        )
        db.execute(f"create view derived_day as {request_rows(costs, called)}")
        db.execute(
            "insert into derived by name "
            f"select s.charge_date, d.attribution_id, d.operation_key, d.billed_cost, "
            "d.effective_cost from derived_day d join sample s on s.attribution_id = "
            f"d.attribution_id and s.operation_key = d.operation_key "
            f"where s.charge_date = date '{day.isoformat()}'"
        )
        db.execute("drop view derived_day")
        shutil.rmtree(folder)
    return coverage, problems


def _of_meters(
    coverage: Sequence[Coverage], meters: Sequence[Mapping[str, Any]], route: Route
) -> dict[str, tuple[int, int | None]]:
    """Tokens seen and billed of the slice's meters over all days; billed is null where the bill
    says no quantity on one of them."""
    kinds: dict[str, set[str | None]] = {}
    for meter in meters:
        if Route.of(meter) == route:
            kinds.setdefault(meter["token_kind"], set()).add(meter["call_provider"])
    found: dict[str, tuple[int, int | None]] = {}
    for kind in kinds:
        if not any((row["model"], row["token_kind"]) == (route.model, kind) for row in coverage):
            found[f"{route.model} {kind}, of which nothing says what was billed"] = (0, None)
    for row in coverage:
        named = {name for name in kinds.get(row["token_kind"], ()) if name is not None}
        if row["token_kind"] not in kinds or row["model"] != route.model:
            continue
        if named and row["provider"] not in named:
            continue
        key = " ".join(
            row[name]
            for name in ("provider", "model", "token_kind", "account", "region")
            if row.get(name)
        )
        seen, billed = found.get(key, (0, 0))
        more = row["billed_tokens"]
        total = None if billed is None or more is None else billed + int(more)
        found[key] = (seen + int(row["seen_tokens"] or 0), total)
    return found


def _verdict(
    asked: Asked,
    route: Route,
    rows: list[dict[str, Any]],
    coverage: Mapping[str, tuple[int, int | None]],
    problems: Sequence[str],
) -> Verdict:
    if not rows:
        return _nothing(asked, route)
    good = sum(row["again"] for row in rows)
    low, high = asked.policy.tolerance.telemetry_coverage
    outside = {
        key: (seen, billed)
        for key, (seen, billed) in coverage.items()
        if not billed or not Fraction(low) <= Fraction(seen, billed) <= Fraction(high)
    }
    reason, detail = "", f"{good:,} of {len(rows):,} operation-charges derived again to the quantum"
    if good < len(rows):
        why = f" ({problems[0]})" if problems else ""
        reason, detail = NOT_DERIVED, f"{detail}{why}. {REMEDY}"
    elif outside:
        key, (seen, billed) = min(outside.items(), key=lambda item: _share(*item[1]) or 0)
        reason = OUTSIDE
        detail += (
            f", but {_said(seen, billed)} of the billed tokens were seen by {key}. Deliver the spans "
            "that are missing, or correct the meter's tokens_per_unit."
        )
    elif coverage:
        worst = min(coverage.values(), key=lambda item: _share(*item) or 0)
        detail += f", lowest coverage {_said(*worst)}"
    return Verdict(
        QUESTION, TITLE, route, not reason,
        number=f"{good} of {len(rows)}",
        threshold=f"all of them, and tolerance.telemetry_coverage {low} to {high}",
        detail=detail,
        query=_query(asked),
        rows=Rows.of(rows),
        reason=reason,
    )  # fmt: skip


def _nothing(asked: Asked, route: Route | None) -> Verdict:
    low, high = asked.policy.tolerance.telemetry_coverage
    return Verdict(
        QUESTION, TITLE, route, False,
        number="0 of 0",
        threshold=f"all of them, and tolerance.telemetry_coverage {low} to {high}",
        detail=f"{NO_EVIDENCE}: {NOTHING_SETTLED}",
        query=_query(asked),
        reason=NO_EVIDENCE,
    )  # fmt: skip


def _query(asked: Asked) -> str:
    return (
        f"-- derived: operation_costs of the days, computed anew from landed objects by\n"
        f"-- {asked.command}\n{read('sample', most=str(SAMPLE)).rstrip()};\n\n{read('sampled_again')}"
    )


def _share(seen: int, billed: int | None) -> Fraction | None:
    return Fraction(seen, billed) if billed else None


def _said(seen: int, billed: int | None) -> str:
    share = _share(seen, billed)
    return "an unknown share" if share is None else plain(cut(share))
