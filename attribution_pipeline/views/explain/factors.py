"""One cell of spend on model calls as a product of factors, and what each has of its change.

Belongs here: the formula of docs/explain.md. Does not: where quantities come from (``reading``),
Shapley's arithmetic (``shapley``), sums over cells (``parts``).

A *cell* is one tenant, workflow and model route (provider and model) in one currency. In a period

    cost = N x (s x r + f) x (I x sum over input buckets b of c_b x p_b
                              + sum over output buckets o of O_o x p_o + w)

    requests        N    logical requests of tenant and workflow, on all routes
    model_mix       s    share of them whose first attempt went along this route
    retries         r, f attempts for each first attempt; attempts for each request of a route on
                         which no request began (a fallback)
    prompt_size     I    input tokens an attempt, cached or not
    cache           c_b  share of input bucket b in them
    output_length   O_o  tokens of output bucket o an attempt
    price           p_b  cost for one token of bucket b
    workload        w    cost of our own machines an attempt: their time is paid, not their tokens
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from attribution_pipeline.model.tokens import BUCKETS, INPUT_BUCKETS, KINDS
from attribution_pipeline.views.explain.shapley import apportioned, shares_of_product

FACTORS = (
    "requests", "prompt_size", "output_length", "cache", "retries", "model_mix", "price",
)  # fmt: skip
"""Of metered tokens, in the order in which they are told, which also breaks ties of a rounding."""

WORKLOAD = "workload"

OUTPUT_BUCKETS = tuple(bucket for bucket in BUCKETS if bucket not in INPUT_BUCKETS)

Maybe = Fraction | None
"""None: nothing in this period says it; the other period's value stands in."""


@dataclass(frozen=True)
class Quantities:
    """A cell in one period. ``costs``: token kind of a meter -> quanta, corrections not in it.
    ``machines``: quanta of pods that made or served the calls.

    ``requests``: of tenant and workflow on all routes; ``firsts``: first attempts on this route;
    ``attempts``: all calls on this route. A sampled call counts for those that it stands for.
    """

    requests: int = 0
    firsts: int = 0
    attempts: int = 0
    tokens: Mapping[str, int] = field(default_factory=dict)
    costs: Mapping[str, int] = field(default_factory=dict)
    machines: int = 0

    @property
    def cost(self) -> int:
        """Quanta."""
        return sum(self.costs.values()) + self.machines

    @property
    def input_tokens(self) -> int:
        return self.of(INPUT_BUCKETS)

    def of(self, buckets: tuple[str, ...]) -> int:
        """Tokens in some buckets."""
        return sum(self.tokens.get(bucket, 0) for bucket in buckets)

    def flat(self) -> int:
        """Quanta that no token at hand explains: they have no price, only an amount."""
        return sum(cost for kind, cost in self.costs.items() if not self.of(KINDS[kind]))

    def price(self, kind: str) -> Maybe:
        """Quanta for one token of a meter's kind: effective, whatever the list says."""
        tokens = self.of(KINDS[kind])
        return Fraction(self.costs.get(kind, 0), tokens) if tokens else None


def parts_of_cell(against: Quantities, now: Quantities) -> dict[str, int]:
    """Quanta by factor, which sum to ``now.cost - against.cost``."""
    exact = dict.fromkeys((*FACTORS, WORKLOAD), Fraction(0))
    for term in _terms(against, now):
        for factor, share in shares_of_product(term).items():
            exact[factor] += share
    exact["price"] += now.flat() - against.flat()
    for one, sign in ((against, -1), (now, 1)):
        if not one.attempts:  # of a call that ended on another day
            exact[WORKLOAD] += sign * one.machines
    rounded = apportioned(list(exact.values()), now.cost - against.cost)
    return dict(zip(exact, rounded, strict=True))


def _terms(against: Quantities, now: Quantities) -> Iterator[dict[str, tuple[Fraction, Fraction]]]:
    """The sum of the formula, product by product."""
    requests = (Fraction(against.requests), Fraction(now.requests))
    mix = _pair(*(_ratio(one.firsts, one.requests) for one in (against, now)))
    again = _pair(*(_ratio(one.attempts, one.firsts) for one in (against, now)))
    fallback = _pair(*(_fallback(one) for one in (against, now)))
    inputs = _pair(*(_ratio(one.input_tokens, one.attempts) for one in (against, now)))
    machines = _pair(*(_ratio(one.machines, one.attempts) for one in (against, now)))
    for per_attempt in (*_tokens(against, now, inputs), {WORKLOAD: machines}):
        yield {"requests": requests, "model_mix": mix, "retries": again, **per_attempt}
        if any(fallback):
            yield {"requests": requests, "retries": fallback, **per_attempt}


def _tokens(
    against: Quantities, now: Quantities, inputs: tuple[Fraction, Fraction]
) -> Iterator[dict[str, tuple[Fraction, Fraction]]]:
    """Cost of an attempt's tokens, bucket by bucket."""
    for bucket, price in _prices(against, now).items():
        if bucket in INPUT_BUCKETS:
            share = _pair(
                *(_ratio(one.tokens.get(bucket, 0), one.input_tokens) for one in (against, now))
            )
            yield {"prompt_size": inputs, "cache": share, "price": price}
        else:
            length = _pair(
                *(_ratio(one.tokens.get(bucket, 0), one.attempts) for one in (against, now))
            )
            yield {"output_length": length, "price": price}


def _fallback(one: Quantities) -> Maybe:
    if one.firsts:
        return Fraction(0)
    return _ratio(one.attempts, one.requests)


def _prices(against: Quantities, now: Quantities) -> dict[str, tuple[Fraction, Fraction]]:
    """Bucket -> price in both periods: of every kind that a meter charges it under, added up."""
    kinds = sorted({*against.costs, *now.costs})
    by_kind = {kind: _pair(against.price(kind), now.price(kind)) for kind in kinds}
    found = {}
    for bucket in BUCKETS:
        if against.tokens.get(bucket) or now.tokens.get(bucket):
            priced = [by_kind[kind] for kind in kinds if bucket in KINDS[kind]]
            if priced:
                found[bucket] = (
                    sum((before for before, _ in priced), Fraction(0)),
                    sum((after for _, after in priced), Fraction(0)),
                )
    return found


def _ratio(part: int, whole: int) -> Maybe:
    return Fraction(part, whole) if whole else None


def _pair(against: Maybe, now: Maybe) -> tuple[Fraction, Fraction]:
    """Both periods' values; one that nothing says is as the other's, so that it did not move."""
    before = against if against is not None else now
    after = now if now is not None else against
    return (before or Fraction(0), after or Fraction(0))
