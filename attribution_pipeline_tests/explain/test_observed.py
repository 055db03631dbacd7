"""A figure over everything never says another direction than the part that it stands beside."""

from __future__ import annotations

import pytest

from attribution_pipeline.views.explain.factors import FACTORS, Quantities, parts_of_cell
from attribution_pipeline.views.explain.observed import observed
from attribution_pipeline.views.explain.parts import PARTS, Explanation, Key, Sums
from attribution_pipeline.views.explain.periods import Period
from attribution_pipeline.views.explain.reading import Route, Who
from attribution_pipeline.views.explain.told import name_of_part
from attribution_pipeline_tests.explain.books import AFTER, BEFORE, told

ROUTE = Route("vendor", "m")


def calls(requests: int, *, each: int, price: int, cached: int = 0) -> Quantities:
    """Requests that are tried once, of so many input tokens, some of them from the cache."""
    tokens = {"uncached_input": requests * (each - cached), "cache_read": requests * cached}
    costs = {"uncached_input": tokens["uncached_input"] * price, "cache_read": tokens["cache_read"]}
    return Quantities(requests, requests, requests, tokens, costs)


def explanation(**workflows: tuple[Quantities, Quantities]) -> Explanation:
    cells = {Key(Who("a", name), ROUTE, "USD"): both for name, both in workflows.items()}
    sums = {}
    for key, (then, now) in cells.items():
        sums[key] = Sums.none()
        sums[key].add(Sums(then.cost, now.cost, parts_of_cell(then, now)))
    return Explanation(sums, cells, {}, {}, {}, (0, 0))


def seen(found: Explanation) -> dict[str, str]:
    return observed(found, "USD", str)


def test_a_group_says_its_own_change_where_its_rounded_ends_say_another() -> None:
    """8.5951 and 8.6048 are both 8.60 to the cent, and a cent apart."""
    quanta = 10**8

    def cost(amount: int) -> Quantities:
        return Quantities(1, 1, 1, {"uncached_input": 1}, {"uncached_input": amount * quanta})

    found = explanation(moved=(cost(85_951), cost(86_048)), still=(cost(200_000), cost(200_000)))
    rows = told(found, Period(BEFORE, BEFORE, {}), Period(AFTER, AFTER, {}), "workflow")
    (row,) = [line.split() for line in rows if line.startswith("moved ")]
    assert row == ["moved", "8.60", "8.60", "+0.01", "price", "+0.01"]


def test_fewer_requests_that_cost_more_are_by_mix() -> None:
    found = explanation(
        dear=(calls(10, each=100, price=50), calls(15, each=100, price=50)),
        cheap=(calls(900, each=100, price=1), calls(800, each=100, price=1)),
    )
    assert found.total("USD").parts["requests"] > 0
    assert seen(found)["requests"] == (
        "910 -> 815 requests; by mix: up within workflows and routes, weighed by cost"
    )


def test_a_figure_that_stands_still_beside_a_part_says_why() -> None:
    found = explanation(
        dear=(calls(10, each=100, price=50), calls(9, each=100, price=50)),
        cheap=(calls(46, each=100, price=1), calls(47, each=100, price=1)),
    )
    assert found.total("USD").parts["requests"] < 0
    assert seen(found)["requests"].startswith("56 -> 56 requests; by mix: down")


@pytest.mark.parametrize("part", ["requests", "prompt_size", "cache", "price"])
def test_a_figure_that_went_with_its_part_says_no_more(part: str) -> None:
    then = calls(10, each=100, price=50, cached=50)
    now = {
        "requests": calls(20, each=100, price=50, cached=50),
        "prompt_size": calls(10, each=200, price=50, cached=100),
        "cache": calls(10, each=100, price=50, cached=0),
        "price": calls(10, each=100, price=60, cached=50),
    }[part]
    found = explanation(dear=(then, now))
    assert found.total("USD").parts[part] > 0
    assert "by mix" not in "".join(seen(found).values())


def test_a_lost_cache_whose_average_grew_is_by_mix() -> None:
    found = explanation(
        dear=(calls(10, each=100, price=50, cached=80), calls(10, each=100, price=50, cached=0)),
        cheap=(calls(100, each=100, price=2, cached=0), calls(100, each=100, price=2, cached=50)),
    )
    assert found.total("USD").parts["cache"] > 0
    assert seen(found)["cache"].endswith(
        "by mix: down within workflows and routes, weighed by cost"
    )


def test_no_part_is_called_by_a_direction() -> None:
    for part in PARTS:
        assert not {"more", "fewer", "less", "longer", "shorter", "higher", "lower", "dearer",
                    "cheaper", "smaller", "larger"} & set(name_of_part(part).split())  # fmt: skip
    assert set(FACTORS) <= set(PARTS)
