"""Amounts and weights at the edge of 64 bits: exact below it, exact in 128 above it, or refused by name.

The rules: decision 0001, design page 10. ``model.division`` on Python's integers is the definition.
"""

from __future__ import annotations

import random
from decimal import Decimal

import duckdb
import pytest

from attribution_pipeline.attribution import charges
from attribution_pipeline.attribution.kernel import NARROW_BOUND, WEIGHT_BOUND, part, remainder
from attribution_pipeline.model.division import largest_remainder, open_rest, truncated
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.money import to_decimal, to_quanta
from attribution_pipeline_tests.attribution.days import (
    METERS,
    NODES,
    call,
    day,
    node,
    pod,
    token_line,
)
from attribution_pipeline_tests.attribution.days import line as bill_line

WIDEST = 10**37
"""Quanta that one charge may have: DECIMAL(38,12) holds ten times as many."""

DENOMINATOR = 2**40
LARGEST = WEIGHT_BOUND // DENOMINATOR
"""DENOMINATOR x LARGEST is exactly the bound, so it is the first product that is refused."""

NODE = NODES % "{driver: active_time, within: node}"


def at_the_edge(amounts: int) -> list[tuple[int, int, int]]:
    """(amount, weight, denominator): every sign, weights whose product just stays under the bound."""
    dice = random.Random(5)
    found = []
    for bits in range(1, 63):
        denominator = 2**bits + dice.choice([-1, 0, 1]) * (bits > 1)
        largest = (WEIGHT_BOUND - 1) // denominator
        for weight in {0, 1, min(largest, denominator), dice.randint(0, min(largest, denominator))}:
            for amount in (amounts, -amounts, dice.randint(-amounts, amounts), amounts - 1):
                found.append((amount, weight, denominator))
    return found


@pytest.mark.parametrize(
    ("integer", "amounts"), [("bigint", NARROW_BOUND - 1), ("hugeint", WIDEST)]
)
def test_parts_and_remainders_are_those_of_unlimited_integers(integer: str, amounts: int) -> None:
    cases = at_the_edge(amounts)
    with duckdb.connect() as connection:
        connection.execute("create table cases (a varchar, w bigint, d bigint)")
        connection.executemany(
            "insert into cases values (?, ?, ?)", [(str(a), w, d) for a, w, d in cases]
        )
        amount = f"cast(a as {integer})"
        found = connection.execute(
            f"select cast({part(amount, 'w', 'd')} as varchar), "
            f"cast({remainder(amount, 'w', 'd')} as varchar) from cases order by rowid"
        ).fetchall()
    assert len(found) == len(cases)
    for (a, w, d), (of_part, of_rest) in zip(cases, found, strict=True):
        whole = truncated(a, w, d)
        assert int(of_part) == whole, (a, w, d)
        assert int(of_rest) == a * w - whole * d, (a, w, d)


def quanta_of(found, **where) -> int:
    """The billed cost of rows that match, in whole quanta: sums of Decimal would round."""
    rows = [r for r in found.ledger if all(r[key] == value for key, value in where.items())]
    return sum(to_quanta(row["billed_cost"])[0] for row in rows)


TOKENS = {"a": 7, "b": 11, "c": 982_451_653, "d": 1}


def metered(folder, quanta: int):
    """One charge over four callers and a rest that nobody saw."""
    spans = [call(n, who, uncached_input=w) for n, (who, w) in enumerate(TOKENS.items())]
    return day(
        folder, METERS, spans=spans,
        lines=[token_line(1, f"{to_decimal(quanta):f}", "m-uncached", 2 * sum(TOKENS.values()))],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quanta", "integer"),
    [
        # both costs and no list price: a charge weighs as its larger cost
        (NARROW_BOUND - 1, "bigint"),
        (NARROW_BOUND, "hugeint"),
        (-NARROW_BOUND, "hugeint"),
        (2**63 - 1, "hugeint"),
        (WIDEST - 1, "hugeint"),
    ],
)
def test_a_charge_of_any_size_is_metered_exactly(tmp_path, quanta, integer):
    found = metered(tmp_path, quanta)
    assert found.outcome.stats["integer"] == integer
    parts, rest = open_rest(quanta, TOKENS, 2 * sum(TOKENS.values()))
    assert {who: quanta_of(found, tenant_id=who) for who in TOKENS} == parts
    assert quanta_of(found, unallocated_reason="telemetry_gap") == rest


@pytest.mark.parametrize("quanta", [NARROW_BOUND - 1, WIDEST - 1, 1 - WIDEST])
def test_a_node_of_any_size_is_shared_exactly(tmp_path, quanta):
    seconds = {"a": 7, "b": 11, "c": 13, "d": 5_000}
    found = day(
        tmp_path, NODE,
        lines=[bill_line(1, f"{to_decimal(quanta):f}", ServiceCategory="Compute", ResourceId="i-n1")],
        assets=[node("n1", cpu=20)], allocations=[pod("p", "n1", cpu=20)],
        spans=[call(n, who, seconds=s, namespace="apps", pod="p")
               for n, (who, s) in enumerate(seconds.items())],
    )  # fmt: skip
    parts = largest_remainder(quanta, {n: s * 1000 for n, s in enumerate(seconds.values())})
    assert [quanta_of(found, tenant_id=who) for who in seconds] == list(parts.values())


def test_a_day_divided_in_64_and_in_128_bits_is_one_day(tmp_path, monkeypatch):
    narrow = metered(tmp_path / "narrow", 123_456_789_012_345_678)
    monkeypatch.setattr(charges, "NARROW_BOUND", 0)
    wide = metered(tmp_path / "wide", 123_456_789_012_345_678)
    assert (narrow.outcome.stats["integer"], wide.outcome.stats["integer"]) == ("bigint", "hugeint")
    assert wide.outcome.content_digest == narrow.outcome.content_digest
    assert wide.operation_costs == narrow.operation_costs


def test_a_slice_is_divided_up_to_the_bound_and_refused_by_name_at_it(tmp_path):
    def of(billed: int, folder: str):
        return day(
            tmp_path / folder, METERS, lines=[token_line(1, "1", "m-uncached", billed)],
            spans=[call(1, "a", uncached_input=LARGEST)],
        )  # fmt: skip

    below = of(DENOMINATOR - 1, "below")
    assert quanta_of(below, tenant_id="a") == 10**12 * LARGEST // (DENOMINATOR - 1)
    with pytest.raises(Refusal, match=r"slice .*vendor / m / .*too many for 64-bit division"):
        of(DENOMINATOR, "at")


def test_a_node_beyond_the_bound_is_refused_by_name(tmp_path):
    def of(price: int, folder: str):
        return day(
            tmp_path / folder, NODE,
            lines=[bill_line(1, "1", ServiceCategory="Compute", ResourceId="i-n1")],
            assets=[node("n1", cpu=price)], allocations=[pod("p", "n1", cpu=LARGEST)],
            spans=[call(1, "a", namespace="apps", pod="p")],
        )  # fmt: skip

    assert of(DENOMINATOR - 1, "below").cost() == Decimal(1)
    with pytest.raises(Refusal, match=r"cpu cost of i-n1 is too large for 64-bit division"):
        of(DENOMINATOR, "at")
