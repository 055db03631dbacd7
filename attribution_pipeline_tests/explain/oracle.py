"""The formula of docs/explain.md once more, coalition by coalition, on one cell.

Belongs here: a second reading of the same page, slow and plain. Shares no code with
``views.explain``, but for the shape of its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import combinations, permutations
from math import factorial

PLAYERS = (
    "requests", "prompt_size", "output_length", "cache", "retries", "model_mix", "price", "workload",
)  # fmt: skip
INPUTS = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
OUTPUTS = ("visible_output", "reasoning")
HOLDS = {
    "input": INPUTS, "output": OUTPUTS, "total": INPUTS + OUTPUTS,
    "cache_write": INPUTS[2:], **{name: (name,) for name in INPUTS + OUTPUTS},
}  # fmt: skip

Value = Callable[[frozenset[str]], Fraction]


def by_permutations(value: Value, players: Iterable[str]) -> dict[str, Fraction]:
    """Every order in which the players can come, one after the other."""
    names = tuple(players)
    found = dict.fromkeys(names, Fraction(0))
    for order in permutations(names):
        there: frozenset[str] = frozenset()
        for name in order:
            found[name] += value(there | {name}) - value(there)
            there |= {name}
    return {name: total / factorial(len(names)) for name, total in found.items()}


def by_subsets(value: Value, players: Iterable[str]) -> dict[str, Fraction]:
    """The textbook's sum over coalitions, each evaluated once."""
    names = tuple(players)
    count = len(names)
    worth = {
        frozenset(some): value(frozenset(some))
        for size in range(count + 1)
        for some in combinations(names, size)
    }
    found = {}
    for name in names:
        found[name] = Fraction(0)
        for some, before in worth.items():
            if name not in some:
                weight = Fraction(
                    factorial(len(some)) * factorial(count - len(some) - 1), factorial(count)
                )
                found[name] += weight * (worth[some | {name}] - before)
    return found


def spend(against, now) -> Value:
    """What the cell costs when a coalition has this period's values and the rest the other's."""

    def at(coalition: frozenset[str]) -> Fraction:
        def side(player):
            mine, other = (now, against) if player in coalition else (against, now)
            return mine, other

        def said(player, of):
            mine, other = side(player)
            value = of(mine)
            if value is None:
                value = of(other)
            return Fraction(0) if value is None else value

        def tokens(one, names):
            return sum(one.tokens.get(name, 0) for name in names)

        requests = Fraction(side("requests")[0].requests)
        mix = said("model_mix", lambda q: Fraction(q.firsts, q.requests) if q.requests else None)
        again = said("retries", lambda q: Fraction(q.attempts, q.firsts) if q.firsts else None)
        fallback = said(
            "retries",
            lambda q: Fraction(0) if q.firsts
            else Fraction(q.attempts, q.requests) if q.requests else None,
        )  # fmt: skip
        prompt = said(
            "prompt_size",
            lambda q: Fraction(tokens(q, INPUTS), q.attempts) if q.attempts else None,
        )
        attempt = Fraction(0)
        for kind in {*against.costs, *now.costs}:
            for bucket in HOLDS[kind]:
                price = said(
                    "price",
                    lambda q, kind=kind: Fraction(q.costs.get(kind, 0), tokens(q, HOLDS[kind]))
                    if tokens(q, HOLDS[kind]) else None,
                )  # fmt: skip
                if bucket in INPUTS:
                    share = said(
                        "cache",
                        lambda q, bucket=bucket: Fraction(q.tokens.get(bucket, 0), tokens(q, INPUTS))
                        if tokens(q, INPUTS) else None,
                    )  # fmt: skip
                    attempt += prompt * share * price
                else:
                    attempt += price * said(
                        "output_length",
                        lambda q, bucket=bucket: Fraction(q.tokens.get(bucket, 0), q.attempts)
                        if q.attempts else None,
                    )  # fmt: skip
        attempt += said(
            "workload", lambda q: Fraction(q.machines, q.attempts) if q.attempts else None
        )
        priced = side("price")[0]
        loose = sum(cost for kind, cost in priced.costs.items() if not tokens(priced, HOLDS[kind]))
        machines = side("workload")[0]
        idle = 0 if machines.attempts else machines.machines
        return requests * (mix * again + fallback) * attempt + loose + idle

    return at
