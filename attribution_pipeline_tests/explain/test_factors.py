"""One cell: each factor has what the formula of docs/explain.md gives it, and they sum."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from attribution_pipeline.model.tokens import BUCKETS
from attribution_pipeline.views.explain.factors import FACTORS, Quantities, parts_of_cell
from attribution_pipeline_tests.explain.oracle import (
    PLAYERS,
    by_permutations,
    by_subsets,
    spend,
)

CALLS = Quantities(
    requests=40, firsts=30, attempts=36,
    tokens={"uncached_input": 30_000, "cache_read": 9_000, "visible_output": 4_000},
    costs={"uncached_input": 90_000_000_007, "cache_read": 2_700_000_001, "output": 60_000_000_003},
    machines=5_000_000_011,
)  # fmt: skip


def some(dice: random.Random) -> Quantities:
    """A cell as a ledger may have it: with or without calls, tokens, prices, credits."""
    firsts = dice.choice([0, 0, 3, 17])
    attempts = firsts + dice.choice([0, 0, 5])
    tokens = {
        bucket: dice.choice([0, dice.randint(1, 10_000)])
        for bucket in BUCKETS
        if attempts and dice.random() < 0.7
    }
    kinds = dice.sample(["uncached_input", "cache_read", "cache_write", "input", "output",
                         "reasoning", "total"], k=dice.randint(0, 4))  # fmt: skip
    return Quantities(
        requests=dice.choice([firsts, firsts + 9]) if attempts else dice.choice([0, 12]),
        firsts=firsts,
        attempts=attempts,
        tokens=tokens,
        costs={kind: dice.randint(-(10**9), 10**14) for kind in kinds},
        machines=dice.choice([0, dice.randint(1, 10**12)]),
    )


def sane(cell: Quantities) -> Quantities:
    """Calls are somebody's requests: without a first attempt, of another route's."""
    return replace(cell, requests=max(cell.requests, 1)) if cell.attempts else cell


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_parts_are_the_oracles_to_the_quantum_on_random_cells(first: int) -> None:
    for seed in range(first, first + 20):
        dice = random.Random(seed)
        against, now = sane(some(dice)), sane(some(dice))
        found, true = parts_of_cell(against, now), by_subsets(spend(against, now), PLAYERS)
        assert sum(true.values()) == now.cost - against.cost, f"the oracle leaks, seed {seed}"
        assert sum(found.values()) == now.cost - against.cost
        assert {
            name: quanta for name, quanta in found.items() if abs(quanta - true[name]) >= 1
        } == {}


def test_all_orders_of_the_seven_give_the_same_as_all_coalitions() -> None:
    now = replace(
        CALLS, requests=55, firsts=33, attempts=44,
        tokens={**CALLS.tokens, "uncached_input": 70_000, "visible_output": 5_000},
        costs={**CALLS.costs, "output": 80_000_000_000}, machines=0,
    )  # fmt: skip
    against = replace(CALLS, machines=0)
    seven = tuple(name for name in PLAYERS if name != "workload")
    value = spend(against, now)
    worth: dict[frozenset[str], Fraction] = {}

    def known(there: frozenset[str]) -> Fraction:
        if there not in worth:
            worth[there] = value(there)
        return worth[there]

    orders = by_permutations(known, seven)
    assert orders == by_subsets(value, seven)
    found = parts_of_cell(against, now)
    assert all(abs(found[name] - orders[name]) < 1 for name in seven)


def only(now: Quantities, against: Quantities = CALLS) -> dict[str, int]:
    return {name: quanta for name, quanta in parts_of_cell(against, now).items() if quanta}


def times(cell: Quantities, factor: int) -> dict[str, int]:
    return {kind: cost * factor for kind, cost in cell.costs.items()}


def test_twice_the_requests_at_twice_the_cost_are_requests_alone() -> None:
    doubled = Quantities(
        80, 60, 72, {name: 2 * count for name, count in CALLS.tokens.items()}, times(CALLS, 2),
        2 * CALLS.machines,
    )  # fmt: skip
    assert only(doubled) == {"requests": CALLS.cost}


def test_another_price_is_price_alone() -> None:
    dearer = replace(CALLS, costs=times(CALLS, 3))
    assert only(dearer) == {"price": 2 * (CALLS.cost - CALLS.machines)}


def test_every_call_once_more_is_retries_alone() -> None:
    again = replace(
        CALLS, attempts=72, tokens={name: 2 * count for name, count in CALLS.tokens.items()},
        costs=times(CALLS, 2), machines=2 * CALLS.machines,
    )  # fmt: skip
    assert only(again) == {"retries": CALLS.cost}


def test_retries_on_a_route_where_nothing_began_are_retries() -> None:
    fallback = Quantities(40, 0, 12, {"uncached_input": 600}, {"uncached_input": 7_000})
    assert only(fallback, against=Quantities(requests=40)) == {"retries": 7_000}


def test_cached_input_that_is_paid_in_full_is_cache_alone() -> None:
    tokens = {**CALLS.tokens, "uncached_input": 39_000, "cache_read": 0}
    costs = {"uncached_input": 390_000_000, "cache_read": 0, "output": 60_000_000}
    before = replace(
        CALLS, costs={"uncached_input": 300_000_000, "cache_read": 9_000_000, "output": 60_000_000}
    )
    assert only(replace(CALLS, tokens=tokens, costs=costs), before) == {"cache": 81_000_000}


def test_a_route_that_is_new_and_one_that_is_gone_are_model_mix() -> None:
    nothing = Quantities(requests=40)
    assert only(CALLS, against=nothing) == {"model_mix": CALLS.cost}
    assert only(nothing) == {"model_mix": -CALLS.cost}


def test_a_workflow_that_is_new_and_one_that_is_gone_are_requests() -> None:
    assert only(CALLS, against=Quantities()) == {"requests": CALLS.cost}
    assert only(Quantities()) == {"requests": -CALLS.cost}


def test_calls_that_were_not_billed_before_are_price() -> None:
    free = replace(CALLS, costs={})
    assert only(CALLS, against=free) == {"price": CALLS.cost - CALLS.machines}


def test_cost_without_a_token_is_price_and_machines_without_a_call_are_workload() -> None:
    loose = Quantities(40, 0, 0, {}, {"uncached_input": 77}, 5)
    assert only(loose, against=Quantities(requests=40)) == {"price": 77, "workload": 5}


def test_a_bill_that_names_other_kinds_at_the_same_prices_moves_nothing_else() -> None:
    """All input at one price, first by bucket, then under one name."""
    by_bucket = replace(CALLS, costs={"uncached_input": 30_000_000, "cache_read": 9_000_000})
    as_one = replace(CALLS, costs={"input": 39_000_000})
    assert only(as_one, by_bucket) == {}


def test_the_seven_are_the_issues_seven() -> None:
    assert set(FACTORS) == {
        "requests", "prompt_size", "output_length", "cache", "retries", "model_mix", "price",
    }  # fmt: skip
