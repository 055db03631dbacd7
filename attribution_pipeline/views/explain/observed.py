"""What was seen of each part in both periods: the figures behind the words, on average over calls.

Belongs here: totals and averages of one explanation in one currency. Does not: the parts, which are
made workflow by workflow and route by route and may go another way than an average over all. Where
they do, the figure says so: ``BY_MIX``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction

from attribution_pipeline.model.tokens import KINDS
from attribution_pipeline.views.explain.factors import OUTPUT_BUCKETS, WORKLOAD, Quantities
from attribution_pipeline.views.explain.parts import (
    BEFORE_FIRST_DAY,
    LATE_DATA,
    PART_OF_CAUSE,
    Explanation,
)
from attribution_pipeline.views.explain.reading import Route, Who
from attribution_pipeline.views.unbilled_tokens import Model, models_named

ARROW = " -> "

BY_MIX = "; by mix: {way} within workflows and routes, weighed by cost"
"""Said of a figure over everything that did not move the way in which its part went."""

UNBILLED = "; of {models} no billed tokens are known: calls that are missing are in it"
"""Said of a price that is cost over the tokens that were seen."""

FALLING = ("cache",)
"""Parts of which a rise of what is seen costs less."""

Pair = tuple[Fraction, Fraction]
"""A figure in both periods."""

Money = Callable[[int], str]
"""Quanta as people read them."""


def observed(
    found: Explanation, currency: str | None, money: Money, unbilled: Collection[Model] = ()
) -> dict[str, str]:
    """Part -> what was seen of it, for those of which there is something to see. ``unbilled``: models of
    which either period does not know the billed tokens."""
    cells = {key: both for key, both in found.cells.items() if key.currency == currency}
    sides: tuple[list[Quantities], list[Quantities]] = ([], [])
    for both in cells.values():
        for side, quantities in zip(sides, both, strict=True):
            side.append(quantities)
    requests: tuple[dict[Who, int], dict[Who, int]] = ({}, {})
    firsts: tuple[dict[Route, int], dict[Route, int]] = (defaultdict(int), defaultdict(int))
    for key, both in cells.items():
        for period, quantities in enumerate(both):
            requests[period][key.who] = quantities.requests
            firsts[period][key.route] += quantities.firsts
    asked = [sum(one.values()) for one in requests]
    calls = [sum(one.attempts for one in side) for side in sides]
    inputs = [sum(one.input_tokens for one in side) for side in sides]
    cached = [sum(one.tokens.get("cache_read", 0) for one in side) for side in sides]
    outputs = [sum(one.of(OUTPUT_BUCKETS) for one in side) for side in sides]
    machines = [sum(one.machines for one in side) for side in sides]
    said: dict[str, str] = {}
    went: dict[str, Pair | None] = {}
    """Which way each figure went; of those that have no way, nothing."""
    if any(calls):
        said = {
            "requests": f"{asked[0]:,}{ARROW}{asked[1]:,} requests",
            "prompt_size": f"{_each(inputs, calls, '{:,.0f}')} input tokens a call",
            "output_length": f"{_each(outputs, calls, '{:,.0f}')} output tokens a call",
            "cache": f"{_each([100 * n for n in cached], inputs, '{:.1f} %')} of the input read "
            "from the cache",
            "retries": f"{_each(calls, asked, '{:.2f}')} calls a request",
            "model_mix": _mix(firsts, asked),
        }
        went = {
            "requests": (Fraction(asked[0]), Fraction(asked[1])),
            "prompt_size": _both(inputs, calls),
            "output_length": _both(outputs, calls),
            "cache": _both(cached, inputs),
            "retries": _both(calls, asked),
        }
        if (price := _price(list(cells.values()))) is not None:
            said["price"] = f"{_percent(price - 1)} for the same tokens"
            went["price"] = (Fraction(1), price)
            paid = {
                key.route.model for key, both in cells.items() if any(one.costs for one in both)
            }
            if apart := {one for one in unbilled if one[1] in paid}:
                said["price"] += UNBILLED.format(models=models_named(apart))
    if any(machines):
        per_call = [
            money(round(Fraction(m, c))) if c else "none"
            for m, c in zip(machines, calls, strict=True)
        ]
        said[WORKLOAD] = f"{per_call[0]}{ARROW}{per_call[1]} a call on own machines"
        went[WORKLOAD] = _both(machines, calls)
    parts = found.total(currency).parts
    for part, way in went.items():
        rise = -parts[part] if part in FALLING else parts[part]  # what the part says: up or down
        if said.get(part) and way is not None and rise and (way[1] - way[0]) * rise <= 0:
            said[part] += BY_MIX.format(way="up" if rise > 0 else "down")
    for (of, part), (before, after) in found.beside.items():
        if of == currency and part not in said:
            booked = "booked on it: " if part == BEFORE_FIRST_DAY else ""
            said[part] = f"{booked}{money(before)}{ARROW}{money(after)}"
    by_part: dict[str, list[str]] = defaultdict(list)
    for cause, quanta in sorted(found.causes.get(currency, {}).items()):
        part = PART_OF_CAUSE.get(cause, LATE_DATA)
        if cause != part:  # else the part has said it
            by_part[part].append(f"{cause.replace('_', ' ')} {money(quanta)}")
    return {part: text for part, text in said.items() if text} | {
        part: ", ".join(texts) for part, texts in by_part.items()
    }


def _both(parts: Sequence[int], wholes: Sequence[int]) -> Pair | None:
    """Both periods' averages; None where one has none."""
    if not all(wholes):
        return None
    return Fraction(parts[0], wholes[0]), Fraction(parts[1], wholes[1])


def _each(parts: Sequence[int], wholes: Sequence[int], shape: str) -> str:
    before, after = (
        shape.format(float(Fraction(part, whole))) if whole else "none"
        for part, whole in zip(parts, wholes, strict=True)
    )
    return f"{before}{ARROW}{after}"


def _percent(share: Fraction) -> str:
    """With its sign; what would round to nothing and is not says so."""
    shown = f"{100 * float(share):+.1f} %"
    if share and shown in ("+0.0 %", "-0.0 %"):
        return f"{'up' if share > 0 else 'down'} by less than 0.1 %"
    return shown


def _mix(firsts: tuple[dict[Route, int], dict[Route, int]], asked: Sequence[int]) -> str:
    """The route whose share of requests moved most."""
    if not all(asked):
        return ""
    shares = {
        route: [Fraction(firsts[period].get(route, 0), asked[period]) for period in (0, 1)]
        for route in {*firsts[0], *firsts[1]}
    }
    moved = sorted(
        shares, key=lambda r: (-abs(shares[r][1] - shares[r][0]), r.provider or "", r.model or "")
    )
    before, after = (100 * float(share) for share in shares[moved[0]])
    if before == after:
        return ""
    digits = 0 if round(before) != round(after) else 1
    ends = f"{before:.{digits}f} %{ARROW}{after:.{digits}f} %"
    return f"{name_of(moved[0])} {ends} of requests"


def _price(cells: Sequence[tuple[Quantities, Quantities]]) -> Fraction | None:
    """This period's tokens at its prices, over the same tokens at the against-period's."""
    now, then = 0, Fraction(0)
    for against, this in cells:
        for kind, cost in this.costs.items():
            before, tokens = against.price(kind), this.of(KINDS[kind])
            if before is not None and tokens:
                now += cost
                then += before * tokens
    return now / then if then else None


def name_of(route: Route) -> str:
    """``provider/model``."""
    return "/".join(name for name in route if name) or "(no model)"
