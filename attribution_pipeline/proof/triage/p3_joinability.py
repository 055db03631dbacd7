"""P3: bill and operations join by a deterministic, versioned contract, and the join is complete.

Belongs here: that the newest day comes out again, that one name of a contract is one content of it,
segmentation completeness per slice and in all, month to date. Does not: replaying (``proof.replay``).

    completeness = 1 - (cost of meter slices in rows without tenant or workflow)
                       / (cost of meter slices, open rows included)
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attribution_pipeline.proof.ratio import NO_EVIDENCE, Ratio, judged, percent, plain
from attribution_pipeline.proof.routes import Route
from attribution_pipeline.proof.score.asked import of_route
from attribution_pipeline.proof.score.shares import BELOW_SLO
from attribution_pipeline.proof.score.verdict import MOST_ROWS, Rows, Verdict
from attribution_pipeline.proof.triage.asked import Asked, read

QUESTION, TITLE = "P3", "joinability"

NOT_DETERMINISTIC, CONTRACT_CHANGED = "not_deterministic", "contract_changed"

CONTRACT = ("window", "direction", "route_keys", "identity")
"""Of the policy's ``join``: what a contract's name and version stand for."""

REMEDY = (
    "Deliver the spans that are missing, and stamp attribution.tenant_id and attribution.workflow_id "
    "on the calls; the rows are in the JSON (--out)."
)


def judge(asked: Asked) -> list[Verdict]:
    """The join, its contract, the month to date by currency, then a verdict a meter slice."""
    return [_deterministic(asked), _versioned(asked), *_complete(asked)]


def _deterministic(asked: Asked) -> Verdict:
    newest = asked.days[-1]
    replay = asked.replay(newest)
    return Verdict(
        QUESTION, f"{TITLE}, deterministic join", None, replay.reproduced,
        number=f"{replay.rows:,} rows again" if replay.reproduced else "not reproduced",
        threshold=f"tolerance.replay_variance {plain(asked.policy.tolerance.replay_variance)}",
        detail=replay.line(),
        query=f"-- attribution replay --from {newest.day} --to {newest.day}",
        reason="" if replay.reproduced else NOT_DETERMINISTIC,
    )  # fmt: skip


def _versioned(asked: Asked) -> Verdict:
    contents: dict[str, dict[tuple[Any, ...], int]] = {}
    for policy in asked.policies.values():
        said = tuple(str(getattr(policy.join, name)) for name in CONTRACT)
        contents.setdefault(policy.join.contract, {}).setdefault(said, policy.version)
    changed = {name: found for name, found in contents.items() if len(found) > 1}
    detail = f"under {', '.join(sorted(contents))}, one content of {', '.join(CONTRACT)} each"
    if changed:
        name, found = min(changed.items())
        versions = " and ".join(str(version) for version in sorted(found.values()))
        detail = (
            f"policy versions {versions} join by other keys under one name, {name}. Publish the "
            "change under the next number of the contract."
        )
    return Verdict(
        QUESTION, f"{TITLE}, versioned contract", None, not changed,
        number=f"{len(contents)} contracts, {len(changed)} changed",
        threshold="0 changed (join.contract)",
        detail=detail,
        query="-- attribution policy check FILE, for each version of the month to date",
        reason=CONTRACT_CHANGED if changed else "",
    )  # fmt: skip


def _complete(asked: Asked) -> list[Verdict]:
    metric = asked.policy.settlement.metric
    with asked.session(asked.month, "ledger") as db:
        sums = db.table(read("segmentation", metric=metric)).to_pylist()
        rows = db.table(read("segmentation_rows", metric=metric, most=str(MOST_ROWS))).to_pylist()
    if not sums:
        nothing = Ratio(Decimal(0), Decimal(0))
        return [_verdict(asked, None, "month to date", nothing, nothing, [])]
    totals: dict[str, tuple[Ratio, Ratio]] = {}
    slices = []
    for row in sums:
        route = Route.of(row)
        cost, tokens = _ratio(row, "without", "cost"), _ratio(row, "tokens_without", "tokens")
        before = totals.get(route.currency)
        totals[route.currency] = (
            (cost, tokens) if before is None else (before[0] + cost, before[1] + tokens)
        )
        slices.append(_verdict(asked, route, "month to date", cost, tokens, of_route(rows, route)))
    return [
        *(
            _verdict(asked, None, f"month to date, all slices in {currency}", cost, tokens, [])
            for currency, (cost, tokens) in sorted(totals.items())
        ),
        *slices,
    ]


def _ratio(row: Mapping[str, Any], without: str, whole: str) -> Ratio:
    total = Decimal(row[whole] or 0)
    return Ratio(total - Decimal(row[without] or 0), total)


def _verdict(
    asked: Asked,
    route: Route | None,
    what: str,
    cost: Ratio,
    tokens: Ratio,
    rows: list[dict[str, Any]],
) -> Verdict:
    limit = asked.policy.slo.segmentation_completeness
    metric = asked.policy.settlement.metric
    held = judged(cost, tokens)
    passed = held.reaches(limit)
    count = rows[0]["all_rows"] if rows else 0
    shown = [{name: value for name, value in row.items() if name != "all_rows"} for row in rows]
    said = f"{percent(held.value)} of the {metric} that meters divide has tenant and workflow"
    if held.exact is None:
        detail = f"{NO_EVIDENCE}: no meter divides anything in the month to date"
    elif passed:
        detail = said
    else:
        where = f" in {route.name}" if route else ""
        detail = f"{said}{where}; {plain(cost.whole - cost.part)} has not. {REMEDY}"
    return Verdict(
        QUESTION, f"{TITLE}, segmentation completeness {what}", route, passed,
        number=held.text,
        by_tokens=tokens.text,
        threshold=f"slo.segmentation_completeness {plain(limit)}",
        detail=detail,
        query=read("segmentation", metric=metric),
        rows=Rows.of(shown, count),
        reason="" if passed else NO_EVIDENCE if held.exact is None else BELOW_SLO,
    )  # fmt: skip
