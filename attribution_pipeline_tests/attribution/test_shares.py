"""Drivers over recipients: pools, overhead, gaps that the policy spreads, prices that roll up."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from attribution_pipeline.model import policy_words as words
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline_tests.attribution.days import DAY, METERS, call, day, line, token_line

POOLS = (
    METERS
    + """
pools:
  - {name: queries, match: {ServiceName: Vectors}, driver: usage.queries}
  - {name: fixed, match: {ServiceName: Fixed}, driver: fixed, fixed: {a: 33.3, b: 66.7}}
  - {name: even, match: {ServiceName: Even}, driver: even}
  - {name: calls, match: {ServiceName: Calls}, driver: requests}
  - {name: support, match: {ServiceName: Support}, component: overhead, driver: cost}
"""
)


def usage(tenant, quantity, resource_id=None):
    return {"source": "u", "object_id": "u", "position": 1, "date": DAY, "service": "Vectors",
            "resource_id": resource_id, "metric": "queries", "quantity": quantity,
            "tenant_id": tenant}  # fmt: skip


def evidence():
    return {
        "lines": [token_line(1, "9", "m-uncached", 900)],
        "spans": [call(1, "a", uncached_input=600), call(2, "b", uncached_input=300)],
    }


def test_a_report_without_resource_weighs_on_all_of_the_service(tmp_path):
    lines = [line(n, "3", ServiceName="Vectors", ResourceId=f"index-{n}") for n in (1, 2)]
    reports = [usage("a", "1", "index-1"), usage("b", "2")]
    found = day(tmp_path, POOLS, lines=lines, usage=reports)
    assert found.cost(resource_id="index-1", tenant_id="a") == Decimal(1)
    assert found.cost(resource_id="index-1", tenant_id="b") == Decimal(2)
    assert found.cost(resource_id="index-2", tenant_id="b") == Decimal(3)


def test_a_driver_without_quantities_leaves_the_charge_open(tmp_path):
    found = day(tmp_path, POOLS, lines=[line(1, "3", ServiceName="Vectors")])
    assert found.cost(unallocated_reason="no_driver", component="shared") == Decimal(3)


def test_fixed_shares_with_decimals_divide_exactly(tmp_path):
    found = day(tmp_path, POOLS, lines=[line(1, "10", ServiceName="Fixed")])
    assert (found.cost(tenant_id="a"), found.cost(tenant_id="b")) == (
        Decimal("3.33"),
        Decimal("6.67"),
    )


def test_even_divides_over_tenants_with_rows_of_an_earlier_phase(tmp_path):
    known = evidence()
    known["lines"].append(line(2, "5", ServiceName="Even"))
    found = day(tmp_path, POOLS, **known)
    assert found.cost(pool="even", tenant_id="a") == found.cost(pool="even", tenant_id="b")
    assert found.cost(pool="even") == Decimal(5)


def test_overhead_follows_cost_and_the_unallocated_carry_their_share(tmp_path):
    known = evidence()
    known["lines"] += [line(2, "9", ServiceName="Mystery"), line(3, "6", ServiceName="Support")]
    found = day(tmp_path, POOLS, **known)
    assert found.cost(pool="support", tenant_id="a") == Decimal(2)
    assert found.cost(pool="support", tenant_id="b") == Decimal(1)
    assert found.cost(pool="support", unallocated_reason="unmatched_charge") == Decimal(3)


def test_cost_weighs_what_the_runbook_says_that_its_phase_weighs(tmp_path):
    assert words.BEFORE["shared"].startswith("meters alone")
    assert words.BEFORE["overhead"].startswith("everything that is not overhead")
    policy = POOLS + "  - {name: fee, match: {ServiceName: Fee}, driver: cost}\n"
    lines = [token_line(1, "10", "m-uncached", 10), line(2, "30", ServiceName="Vectors"),
             line(3, "4", ServiceName="Fee"), line(4, "44", ServiceName="Support")]  # fmt: skip
    found = day(tmp_path, policy, lines=lines, spans=[call(1, "a", uncached_input=10)],
                usage=[usage("b", "1")])  # fmt: skip
    # b has no metered call: nothing of a shared pool by cost, its part of overhead
    assert (found.cost(pool="fee", tenant_id="a"), found.cost(pool="fee", tenant_id="b")) == (4, 0)
    support = found.cost(pool="support", tenant_id="a"), found.cost(pool="support", tenant_id="b")
    assert support == (14, 30)


def test_corrections_are_no_base_of_overhead(tmp_path):
    known = evidence()
    known["lines"] += [
        token_line(2, "-8.99", "m-uncached", -899, ChargeClass="Correction"),
        line(3, "3", ServiceName="Support"),
    ]
    found = day(tmp_path, POOLS, **known)
    assert found.cost(pool="support", tenant_id="a") == Decimal(2)


def test_a_gap_is_spread_in_rows_of_their_own(tmp_path):
    found = day(
        tmp_path, METERS + "evidence_gap: spread\n",
        lines=[token_line(1, "9", "m-uncached", 900)],
        spans=[call(1, "a", uncached_input=200), call(2, "b", uncached_input=100)],
    )  # fmt: skip
    assert found.cost(tenant_id="a", leg="own") == Decimal(2)
    assert found.cost(tenant_id="a", leg="spread") == Decimal(4)
    assert found.cost(tenant_id="b", leg="spread") == Decimal(2)
    assert {r["confidence"] for r in found.ledger if r["leg"] == "spread"} == {"estimated"}
    assert found.cost(unallocated_reason="telemetry_gap") == 0


def test_rolled_up_operations_are_priced_by_list_and_the_gap_is_signed(tmp_path):
    found = day(
        tmp_path, METERS + "join: {direction: roll_up_operations}\n",
        lines=[token_line(1, "8", "m-uncached", 900, ListCost="9")],
        spans=[call(1, "a", uncached_input=900)],
    )  # fmt: skip
    assert found.cost(tenant_id="a") == Decimal(9)
    assert found.cost(leg="open") == Decimal(-1)


def test_a_row_divided_in_python_has_the_id_that_sql_gives(tmp_path):
    """Ties go by id, so both ways of writing it must say the same."""
    known = evidence()
    known["lines"] += [line(2, "9", ServiceName="Mystery"), line(3, "6", ServiceName="Support"),
                       line(4, "1", ServiceName="Calls")]  # fmt: skip
    found = day(tmp_path, POOLS, **known)
    shared = [row for row in found.ledger if row["method"] == "share"]
    assert len(shared) == 5
    for row in shared:
        words = [DAY.isoformat(), row["charge_id"], row["component"], row["leg"]]
        words += [row[column] for column in WHO]
        words += [None, row["model"], row["token_kind"], row["unallocated_reason"]]
        text = "\x1f".join("\x1e" if word is None else word for word in words)
        assert hashlib.sha256(text.encode()).hexdigest()[:32] == row["attribution_id"]


def test_reported_quantities_add_up_exactly_at_any_length(tmp_path):
    """Decimal sums would round at 28 digits."""
    reports = [usage("a", "1" + "0" * 28), usage("a", "0.5"), usage("b", "1")]
    found = day(tmp_path, POOLS, lines=[line(1, "3", ServiceName="Vectors")], usage=reports)
    assert {row["driver_quantity"] for row in found.ledger if row["tenant_id"] == "a"} == {
        Decimal(10**29 + 5)
    }
    assert found.cost() == Decimal(3)


def test_fixed_shares_of_two_names_for_one_tenant_add_up(tmp_path):
    policy = (
        METERS
        + "join: {tenant_aliases: {Acme-Inc: acme}}\n"
        + "pools: [{name: fixed, match: {ServiceName: Fixed}, driver: fixed,"
        + " fixed: {Acme-Inc: 30, acme: 30, b: 40}}]\n"
    )
    found = day(tmp_path, policy, lines=[line(1, "10", ServiceName="Fixed")])
    assert (found.cost(tenant_id="acme"), found.cost(tenant_id="b")) == (6, 4)
