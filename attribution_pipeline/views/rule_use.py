"""Rules of a policy that took nothing, and charges that no rule takes, as lines for people.

Belongs here: wording. Does not: finding them (``attribution.rule_use``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attribution_pipeline.attribution.rule_use import workload_words
from attribution_pipeline.views import day_ranges
from attribution_pipeline.views.cells import terminal_cell
from attribution_pipeline.views.revisions import plain

if TYPE_CHECKING:
    from attribution_pipeline.attribution.rule_use import RuleUse
    from attribution_pipeline.model.policy import Meter, Policy

MOST_UNTAKEN = 8
"""Charges that no rule takes, as many as a screen has room for beside the rest."""

A_CENT = Decimal("0.01")


def lines(
    policy: Policy, use: RuleUse, days: Sequence[date], recorded_under: Sequence[int] = ()
) -> list[str]:
    """What took nothing on ``days``, a line a rule under a heading; nothing where every rule did.
    ``recorded_under``: other versions that the rows were made under of which ``owners`` were asked.

    A small day has no charge for many a meter: that is no fault, so it is told and never refused.
    """
    found = [
        *_unserved(policy, use),
        *_idle(policy, use),
        *_idle_owners(policy, use, recorded_under),
    ]
    if not found:
        return []
    return [f"took nothing on {day_ranges.counted(days)}:", *(f"  {line}" for line in found)]


def untaken(use: RuleUse) -> list[str]:
    """Charges that no rule takes, the dearest first: service, SkuMeter and unit, with their cost in the
    policy's metric, to the cent, and what is less than one with all its digits. What comes to nothing is left out."""
    found = sorted(
        ((cost, meter) for meter, cost in use.untaken.items() if cost),
        key=lambda one: (-abs(one[0]), [part or "" for part in one[1]]),
    )
    said = []
    for cost, meter in found[:MOST_UNTAKEN]:
        service, sku_meter, currency = meter
        units = " or ".join(sorted(use.units.get(meter, ())))
        words = f"{service or 'no ServiceName'} / {sku_meter or 'no SkuMeter'}"
        words += f", {units}" if units else ""
        said.append(f"no rule takes: {terminal_cell(words)} ({_short(cost)} {currency or ''})")
    left = len(found) - MOST_UNTAKEN
    return [*said, *([f"no rule takes: {left:,} more"] if left > 0 else [])]


def _short(cost: Decimal) -> str:
    return f"{cost:,.2f}" if abs(cost) >= A_CENT else plain(cost)


def _idle(policy: Policy, use: RuleUse) -> Iterator[str]:
    for place in use.idle("meters", policy.meters):
        yield f"meters {place + 1}: {_of_meter(policy.meters[place], use, place)}"
    for place in use.idle("pools", policy.pools):
        pool = policy.pools[place]
        said = f"charge with {_conditions(pool.match)}"
        above = use.came_late("pools", place)
        yield f"pools {place + 1} `{pool.name}`: " + _said(
            above, f"meters or pools above it take every {said}", f"no {said}"
        )
    for place in use.idle("nodes", policy.nodes):
        rule = policy.nodes[place]
        said = f"node whose {rule.from_} has {terminal_cell(rule.pattern)}"
        above = use.came_late("nodes", place)
        yield f"nodes {place + 1}: " + _said(
            above, f"rules above it name every {said}", f"no {said}"
        )
    for place in use.idle("serving", policy.serving):
        serving = policy.serving[place]
        given = {"server_address": serving.server_address, "model": serving.model}
        said = f"call with {_conditions(given)}"
        above = use.came_late("serving", place)
        yield f"serving {place + 1}: " + _said(
            above, f"rules above it take every {said}", f"no {said}"
        )
    for place in use.idle("dedicated", policy.join.dedicated):
        dedicated = policy.join.dedicated[place]
        yield f"join.dedicated {place + 1}: no pod with {_conditions(dedicated.model_dump())}"


def _of_meter(meter: Meter, use: RuleUse, place: int) -> str:
    said = _conditions(meter.match)
    if use.came_late("meters", place):
        return f"meters above it take every charge with {said}"
    if place in use.nameless and not isinstance(meter.model, str):
        return (
            f"no charge with {said} names a model: its {terminal_cell(meter.model.from_)} has nothing "
            f"like {terminal_cell(meter.model.pattern)}"
        )
    return f"no charge with {said}"


def _idle_owners(policy: Policy, use: RuleUse, recorded_under: Sequence[int]) -> Iterator[str]:
    versions = ", ".join(map(str, recorded_under))
    noun = "version" if len(recorded_under) == 1 else "versions"
    under = f" (asked of rows as {noun} {versions} made them)" if versions else ""
    for place in use.idle("owners", policy.owners):
        owner = policy.owners[place]
        said = f"row with {_conditions({'tenant': owner.tenant, 'workflow': owner.workflow})}"
        above = use.came_late("owners", place)
        yield f"owners {place + 1}: " + _said(
            above, f"rules above it own every {said}{under}", f"no {said}{under}"
        )


def _said(above: bool, taken: str, none: str) -> str:
    return taken if above else none


def _unserved(policy: Policy, use: RuleUse) -> Iterator[str]:
    for place in sorted(use.unserved):
        rule = policy.serving[place]
        yield (
            f"serving {place + 1}: calls match it, and no pod is of its workload "
            f"{terminal_cell(workload_words(rule))}"
        )


def _conditions(said: dict[str, Any]) -> str:
    """Conditions as the file has them."""
    return terminal_cell(
        " and ".join(f"{key} = {value}" for key, value in said.items() if value is not None)
    )
