"""What was seen of each part in both periods: the figures behind the words, on average over calls.

Belongs here: totals and averages of one explanation in one currency. Does not: the parts, which are
made workflow by workflow and route by route and may go another way than an average over all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction

from attribution_pipeline.model.tokens import KINDS
from attribution_pipeline.views.explain.factors import OUTPUT_BUCKETS, WORKLOAD, Quantities
from attribution_pipeline.views.explain.parts import LATE_DATA, PART_OF_CAUSE, Explanation
from attribution_pipeline.views.explain.reading import Route, Who

ARROW = " -> "

Money = Callable[[int], str]
"""Quanta as people read them."""


def observed(found: Explanation, currency: str | None, money: Money) -> dict[str, str]:
    """Part -> what was seen of it, for those of which there is something to see."""
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
    said = {}
    if any(calls):
        said = {
            "requests": f"{asked[0]:,}{ARROW}{asked[1]:,} requests",
            "prompt_size": f"{_each(inputs, calls, '{:,.0f}')} input tokens a call",
            "output_length": f"{_each(outputs, calls, '{:,.0f}')} output tokens a call",
            "cache": f"{_each([100 * n for n in cached], inputs, '{:.1f} %')} of the input read "
            "from the cache",
            "retries": f"{_each(calls, asked, '{:.2f}')} calls a request",
            "model_mix": _mix(firsts, asked),
            "price": _price(list(cells.values())),
        }
    if any(machines):
        per_call = [
            money(round(Fraction(m, c))) if c else "none"
            for m, c in zip(machines, calls, strict=True)
        ]
        said[WORKLOAD] = f"{per_call[0]}{ARROW}{per_call[1]} a call on own machines"
    for (of, part), (before, after) in found.beside.items():
        if of == currency and part not in said:
            said[part] = f"{money(before)}{ARROW}{money(after)}"
    by_part: dict[str, list[str]] = defaultdict(list)
    for cause, quanta in sorted(found.causes.get(currency, {}).items()):
        by_part[PART_OF_CAUSE.get(cause, LATE_DATA)].append(f"{cause} {money(quanta)}")
    return {part: text for part, text in said.items() if text} | {
        part: ", ".join(texts) for part, texts in by_part.items()
    }


def _each(parts: Sequence[int], wholes: Sequence[int], shape: str) -> str:
    before, after = (
        shape.format(float(Fraction(part, whole))) if whole else "none"
        for part, whole in zip(parts, wholes, strict=True)
    )
    return f"{before}{ARROW}{after}"


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
    return f"{name_of(moved[0])} {before:.0f} %{ARROW}{after:.0f} % of requests"


def _price(cells: Sequence[tuple[Quantities, Quantities]]) -> str:
    """This period's tokens at its prices, against the same tokens at the against-period's."""
    now, then = 0, Fraction(0)
    for against, this in cells:
        for kind, cost in this.costs.items():
            before, tokens = against.price(kind), this.of(KINDS[kind])
            if before is not None and tokens:
                now += cost
                then += before * tokens
    return f"{100 * float(now / then - 1):+.1f} % for the same tokens" if then else ""


def name_of(route: Route) -> str:
    """``provider/model``."""
    return "/".join(name for name in route if name) or "(no model)"
