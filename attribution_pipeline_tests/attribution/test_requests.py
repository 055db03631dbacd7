"""Request level at rest: small names for operations, wide amounts only where they are needed."""

from __future__ import annotations

from decimal import Decimal

import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.requests import (
    first_number,
    of_files,
    operation_rows,
    request_rows,
)
from attribution_pipeline_tests.attribution import at_rest
from attribution_pipeline_tests.attribution.days import (
    DAY,
    METERS,
    MIDNIGHT,
    NODES,
    call,
    day,
    line,
    node,
    pod,
    token_line,
)

NODE_BILL = [line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")]
LAST_SECOND = int(MIDNIGHT.timestamp()) + 24 * 3600 - 1
PODS = {"assets": [node("n1", cpu=10)], "allocations": [pod("p1", "n1", cpu=5)]}


def names(found):
    """Number by key of every operation that the day's tables name."""
    rows = at_rest.operation_rows(found.outcome.files)
    return {row["operation_key"]: row["operation_number"] for row in rows}


def test_a_key_that_ids_say_is_read_back_from_them(tmp_path):
    spans = [
        call(1, "a", uncached_input=1),
        call(2, "b", response_id=None, uncached_input=1),
        call(3, "c", provider=None, uncached_input=1),
        # no id of a call: Ollama draws it from a thousand
        call(4, "d", response_id="chatcmpl-99", uncached_input=1),
    ]
    found = day(tmp_path, METERS, lines=[token_line(1, "1", "m-uncached", 3)], spans=spans)
    keys = {"vendor\x1fr-1", f"{2:032x}:{2:016x}", "\x1fr-3", f"{4:032x}:{4:016x}"}
    assert set(names(found)) == keys
    files = {
        name: of_files(found.outcome.files[name]) for name in ("operations", "operation_costs")
    }
    with session(Compute(1, "1GB")) as db:
        called = {
            key
            for (key,) in db.rows(
                f"select operation_key from ({operation_rows(files['operations'])})"
            )
        }
        priced = db.rows(
            "select operation_number, operation_key from "
            f"({request_rows(files['operation_costs'], files['operations'])})"
        )
    assert called == keys
    assert priced
    assert all(names(found)[key] == number for number, key in priced)


def test_a_call_that_ends_after_the_day_is_named_by_its_key(tmp_path):
    late = call(2, "a", namespace="apps", pod="p1") | {
        "start_unix_nano": LAST_SECOND * 10**9, "end_unix_nano": (LAST_SECOND + 9) * 10**9,
    }  # fmt: skip
    spans = [call(1, "a", namespace="apps", pod="p1"), late]
    found = day(tmp_path, NODES % "{keep: visible}", lines=NODE_BILL, spans=spans, **PODS)
    assert list(names(found)) == ["vendor\x1fr-1"]
    numbers = {row["operation_key"]: row["operation_number"] for row in found.operation_costs}
    assert numbers == {None: names(found)["vendor\x1fr-1"], "vendor\x1fr-2": first_number(DAY) + 2}
    (again,) = [
        row
        for row in day(
            tmp_path / "again", NODES % "{keep: visible}", lines=NODE_BILL, after=found,
            spans=[*spans, call(0, "b", namespace="apps", pod="p1")], **PODS,
        ).operation_costs
        if row["operation_key"]
    ]  # fmt: skip
    assert again["operation_number"] == numbers["vendor\x1fr-2"]


def test_an_operation_keeps_its_number_and_new_ones_follow(tmp_path):
    bill = [token_line(1, "1", "m-uncached", 100)]
    early = [call(number, "b", uncached_input=1) for number in (2, 4)]
    first = day(tmp_path / "1", METERS, lines=bill, spans=early)
    assert sorted(names(first).values()) == [first_number(DAY) + 1, first_number(DAY) + 2]
    more = [call(1, "a", uncached_input=1), call(3, "b", uncached_input=1)]
    then = day(tmp_path / "2", METERS, lines=bill, spans=[*early, *more], after=first)
    assert {key: names(then)[key] for key in names(first)} == names(first)
    assert sorted(names(then).values())[2:] == [first_number(DAY) + 3, first_number(DAY) + 4]
    # one that went is not called by a number that is taken
    gone = day(tmp_path / "3", METERS, lines=bill, spans=more, after=then)
    assert names(gone).items() <= names(then).items()


def test_numbers_of_two_days_never_meet():
    assert first_number(DAY.replace(day=6)) - first_number(DAY) == 10**10


def test_amounts_are_narrow_where_all_fit_and_exact_where_one_does_not(tmp_path):
    spans = [call(1, "a", uncached_input=1)]
    kinds = {}
    for cost in ("999999.999999999999", "1000000", "-1000000"):
        found = day(
            tmp_path / cost, METERS, lines=[token_line(1, cost, "m-uncached", 1)], spans=spans
        )
        (row,) = found.operation_costs
        assert row["billed_cost"] == row["effective_cost"] == Decimal(cost)
        (path,) = found.outcome.files["operation_costs"]
        kinds[cost] = pq.read_schema(path).field("billed_cost").type.precision
    assert kinds == {"999999.999999999999": 18, "1000000": 38, "-1000000": 38}
