"""The same row, and every state it had: revisions, causes, settlement, what a held period keeps."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal

from attribution_pipeline_tests.attribution.days import (
    METERS,
    RECORDED,
    call,
    day,
    line,
    token_line,
)

LATER = RECORDED + timedelta(days=2)
HOLD = METERS + "settlement: {closed_period: hold}\n"
TAGGED = METERS.replace("version: 1", "version: 2") + "owners: [{tenant: a, team: blue}]\n"
BILL = [token_line(1, "10", "m-uncached", 1000)]
EARLY = [call(1, "a", uncached_input=300), call(2, "b", uncached_input=300)]


def by_id(found):
    return {row["attribution_id"]: row for row in found.ledger}


def the_row(found, **where):
    (row,) = [r for r in found.ledger if all(r[key] == value for key, value in where.items())]
    return row


def test_the_first_state_of_a_day_is_no_change(tmp_path):
    found = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    assert found.revisions == []
    assert {row["revision"] for row in found.ledger} == {1}


def test_late_spans_revise_the_open_row_and_touch_no_other(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    late = [*EARLY, call(3, "c", uncached_input=100)]
    then = day(tmp_path / "2", METERS, lines=BILL, spans=late, after=first, recorded_at=LATER)
    assert the_row(then, leg="open")["revision"] == 2
    assert the_row(then, tenant_id="a")["revision"] == 1
    assert the_row(then, tenant_id="a")["recorded_at"] == RECORDED
    assert the_row(then, leg="open")["recorded_at"] == LATER
    assert the_row(then, leg="open")["first_recorded_at"] == RECORDED
    assert the_row(then, tenant_id="c")["first_recorded_at"] == LATER
    moved = {row["attribution_id"]: row for row in then.revisions}
    assert set(moved) == {
        the_row(then, leg="open")["attribution_id"], the_row(then, tenant_id="c")["attribution_id"]
    }  # fmt: skip
    assert {row["cause"] for row in then.revisions} == {"late_spans"}
    assert sum(row["delta_billed_cost"] for row in then.revisions) == 0


def test_a_revision_is_the_delta_between_its_two_states(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    bill = [token_line(1, "13", "m-uncached", 1000)]
    then = day(tmp_path / "2", METERS, lines=bill, spans=EARLY, after=first)
    before, after = by_id(first), by_id(then)
    assert then.revisions
    for row in then.revisions:
        identity = row["attribution_id"]
        assert row["old_billed_cost"] == before[identity]["billed_cost"]
        assert row["new_billed_cost"] == after[identity]["billed_cost"]
        assert row["delta_billed_cost"] == row["new_billed_cost"] - row["old_billed_cost"]
        assert row["revision"] == after[identity]["revision"] == 2
    assert {row["cause"] for row in then.revisions} == {"late_billing"}


def test_a_bill_that_goes_100_120_100_ends_at_100_with_two_revisions(tmp_path):
    found = None
    revisions = []
    for number, amount in enumerate(("100", "120", "100")):
        found = day(tmp_path / str(number), METERS, lines=[line(1, amount)], after=found)
        revisions += found.revisions
    (row,) = found.ledger
    assert (row["billed_cost"], row["revision"]) == (100, 3)
    assert [row["delta_billed_cost"] for row in revisions] == [20, -20]
    assert [row["revision"] for row in revisions] == [2, 3]


def test_the_same_evidence_again_is_no_change(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    then = day(tmp_path / "2", METERS, lines=BILL, spans=EARLY, after=first, recorded_at=LATER)
    assert then.revisions == []
    assert then.ledger == first.ledger


def test_a_row_that_nothing_supports_stays_at_zero_and_comes_back_as_itself(tmp_path):
    first = day(tmp_path / "1", METERS, lines=[line(1, "5"), line(2, "7")])
    gone = day(tmp_path / "2", METERS, lines=[line(2, "7")], after=first)
    (row,) = [r for r in gone.ledger if r["attribution_id"] not in
              {r["attribution_id"] for r in gone.ledger if r["billed_cost"]}]  # fmt: skip
    assert (row["billed_cost"], row["effective_cost"], row["revision"]) == (0, 0, 2)
    still = day(tmp_path / "3", METERS, lines=[line(2, "7")], after=gone)
    assert by_id(still)[row["attribution_id"]]["revision"] == 2, "nothing changed"
    back = day(tmp_path / "4", METERS, lines=[line(1, "5"), line(2, "7")], after=still)
    assert by_id(back)[row["attribution_id"]]["revision"] == 3
    assert back.outcome.content_digest == first.outcome.content_digest
    assert gone.outcome.content_digest != first.outcome.content_digest


def test_an_operation_that_turns_out_to_be_another_tenants_moves_with_cause_identity(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    theirs = [EARLY[0], call(2, "c", uncached_input=300)]
    then = day(tmp_path / "2", METERS, lines=BILL, spans=theirs, after=first)
    assert the_row(then, tenant_id="b")["billed_cost"] == 0
    assert the_row(then, tenant_id="c")["billed_cost"] == 3
    assert {row["cause"] for row in then.revisions} == {"identity"}


def test_identity_and_late_spans_are_told_apart_in_one_state(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    spans = [EARLY[0], call(2, "c", uncached_input=300), call(4, "d", uncached_input=100)]
    then = day(tmp_path / "2", METERS, lines=BILL, spans=spans, after=first)
    causes = {
        next(r["tenant_id"] for r in then.ledger if r["attribution_id"] == row["attribution_id"]):
        row["cause"] for row in then.revisions
    }  # fmt: skip
    assert causes == {"b": "identity", "c": "identity", "d": "late_spans", None: "late_spans"}


def test_a_correction_carries_its_own_cause(tmp_path):
    correction = token_line(2, "-1", "m-uncached", -100, ChargeClass="Correction")
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    then = day(tmp_path / "2", METERS, lines=[*BILL, correction], spans=EARLY, after=first)
    assert {row["cause"] for row in then.revisions} == {"correction"}
    assert sum(row["delta_billed_cost"] for row in then.revisions) == -1
    untouched = {row["attribution_id"] for row in first.ledger}
    assert {by_id(then)[identity]["revision"] for identity in untouched} == {1}


def test_a_policy_change_is_the_cause_of_everything_that_it_moves(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    none = METERS.split("meters:")[0].replace("version: 1", "version: 2")
    then = day(tmp_path / "2", none, lines=BILL, spans=EARLY, after=first)
    assert {row["cause"] for row in then.revisions} == {"policy_change"}
    assert {row["policy_version"] for row in then.revisions} == {2}


def test_policy_columns_change_without_a_revision(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    then = day(tmp_path / "2", TAGGED, lines=BILL, spans=EARLY, after=first, recorded_at=LATER)
    assert then.revisions == []
    assert {(row["revision"], row["policy_version"]) for row in then.ledger} == {(1, 2)}
    assert the_row(then, tenant_id="a")["team"] == "blue"


def test_a_closed_day_is_settled_and_what_moves_later_is_restated(tmp_path):
    first = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY)
    closed = day(tmp_path / "2", METERS, lines=BILL, spans=EARLY, after=first, settled=True)
    assert {row["settlement"] for row in first.ledger} == {"provisional"}
    assert {row["settlement"] for row in closed.ledger} == {"settled"}
    assert closed.revisions == [], "settling is no revision"
    late = [*EARLY, call(3, "c", uncached_input=100)]
    then = day(tmp_path / "3", METERS, lines=BILL, spans=late, after=closed, settled=True)
    assert the_row(then, tenant_id="a")["settlement"] == "settled"
    assert the_row(then, tenant_id="c")["settlement"] == "restated"
    assert the_row(then, leg="open")["settlement"] == "restated"
    again = day(tmp_path / "4", METERS, lines=BILL, spans=late, after=then, settled=True)
    assert the_row(again, tenant_id="c")["settlement"] == "restated", "it stays so"


def test_a_day_whose_first_state_is_closed_is_settled_at_once(tmp_path):
    found = day(tmp_path / "1", METERS, lines=BILL, spans=EARLY, settled=True)
    assert {row["settlement"] for row in found.ledger} == {"settled"}


def held_day(tmp_path, **evidence):
    """A closed day under `hold`, and its next state."""
    closed = day(tmp_path / "1", HOLD, lines=BILL, spans=EARLY, settled=True)
    then = day(tmp_path / "2", HOLD, after=closed, settled=True, **evidence)
    return closed, then


def with_variance(found):
    """The ledger as it would be: variances over its rows, held rows left out. Costs and what."""
    names = ("billed_cost", "effective_cost", "confidence", "driver_quantity", "driver_total")
    rows = {r["attribution_id"]: r for r in found.ledger if r["unallocated_reason"] != "held"}
    rows |= {row["attribution_id"]: row for row in found.variances}
    return {
        identity: tuple(row[name] for name in names)
        for identity, row in rows.items() if row["billed_cost"] or row["effective_cost"]
    }  # fmt: skip


def test_hold_freezes_the_distribution_and_books_the_difference_as_variance(tmp_path):
    late = [*EARLY, call(3, "c", uncached_input=100)]
    closed, then = held_day(tmp_path, lines=BILL, spans=late)
    assert then.ledger == closed.ledger
    assert then.revisions == []
    assert then.operation_costs == closed.operation_costs
    open_day = day(tmp_path / "3", HOLD, lines=BILL, spans=late)
    assert with_variance(then) == with_variance(open_day)
    assert then.outcome.unheld_digest == open_day.outcome.content_digest
    assert then.outcome.content_digest == closed.outcome.content_digest
    booked = sum(row["billed_cost"] - row["held_billed_cost"] for row in then.variances)
    assert booked == 0
    assert Counter(row["tenant_id"] for row in then.variances) == {"c": 1, None: 1}


def test_what_the_vendor_changes_in_a_held_period_is_one_row_with_reason_held(tmp_path):
    closed, then = held_day(tmp_path, lines=[token_line(1, "12", "m-uncached", 1000)], spans=EARLY)
    held = the_row(then, unallocated_reason="held")
    assert (held["billed_cost"], held["settlement"], held["revision"]) == (2, "restated", 1)
    assert sum(row["billed_cost"] for row in then.ledger) == 12
    assert [row["attribution_id"] for row in then.revisions] == [held["attribution_id"]]
    assert {row["cause"] for row in then.revisions} == {"late_billing"}
    open_day = day(tmp_path / "3", HOLD, lines=[token_line(1, "12", "m-uncached", 1000)],
                   spans=EARLY)  # fmt: skip
    assert with_variance(then) == with_variance(open_day)
    back = day(tmp_path / "4", HOLD, lines=BILL, spans=EARLY, after=then, settled=True)
    assert the_row(back, unallocated_reason="held")["billed_cost"] == 0
    assert the_row(back, unallocated_reason="held")["revision"] == 2
    assert back.variances == []
    assert back.outcome.content_digest == closed.outcome.content_digest


def test_a_charge_that_comes_or_goes_in_a_held_period_is_held_whole(tmp_path):
    _, then = held_day(tmp_path, lines=[*BILL, line(2, "4")], spans=EARLY)
    assert the_row(then, unallocated_reason="held")["billed_cost"] == 4
    (tmp_path / "gone").mkdir()
    _, gone = held_day(tmp_path / "gone", lines=[line(2, "0")], spans=EARLY)
    assert the_row(gone, unallocated_reason="held")["billed_cost"] == Decimal(-10)


def test_a_period_that_is_opened_again_holds_nothing(tmp_path):
    late = [*EARLY, call(3, "c", uncached_input=100)]
    _, then = held_day(tmp_path, lines=BILL, spans=late)
    opened = day(tmp_path / "3", HOLD, lines=BILL, spans=late, after=then, settled=False)
    assert opened.variances == []
    assert the_row(opened, tenant_id="c")["billed_cost"] == 1
    assert {row["settlement"] for row in opened.ledger} == {"provisional"}
    assert {row["cause"] for row in opened.revisions} == {"reopened"}


def test_force_lets_a_policy_reach_over_a_held_period_and_says_so(tmp_path):
    closed = day(tmp_path / "1", HOLD, lines=BILL, spans=EARLY, settled=True)
    none = HOLD.replace("version: 1", "version: 2").replace("*-uncached", "*-nothing")
    held = day(tmp_path / "2", none, lines=BILL, spans=EARLY, after=closed, settled=True)
    assert {row["billed_cost"] for row in held.ledger} == {3, 4}
    then = day(tmp_path / "3", none, lines=BILL, spans=EARLY, after=closed, settled=True,
               forced=True)  # fmt: skip
    assert the_row(then, unallocated_reason="unmatched_charge")["billed_cost"] == 10
    assert {(row["forced"], row["cause"]) for row in then.revisions} == {(True, "policy_change")}
