"""The oracle is right about the one day whose figures are given: every row, every quantum."""

from __future__ import annotations

import csv
from collections import Counter

from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.money import to_text
from attribution_pipeline.model.policy import load_policy
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.oracle import reconcile
from attribution_pipeline_tests.oracle.worked_day import DAY, evidence


def _oracle():
    policy = load_policy(WORKED_DAY / "policies" / "policy-1.yaml")
    policy = policy[0] if isinstance(policy, tuple) else policy
    return reconcile(evidence(WORKED_DAY), policy, DAY, DAY)


def test_worked_day_comes_out_row_by_row_every_quantum() -> None:
    with (WORKED_DAY / "expected_ledger.csv").open(newline="", encoding="utf-8") as file:
        expected = Counter(tuple(row.items()) for row in csv.DictReader(file))
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    for row in _oracle().rows:
        one, who = row.identity, dict(zip(WHO, row.identity.who, strict=True))
        if (row.billed, row.effective) == (0, 0):
            continue
        values = {
            "service": one.charge.service,
            "resource_id": one.charge.resource_id,
            "charge_category": one.charge.category,
            "charge_class": one.charge.charge_class,
            "component": one.component,
            "leg": one.leg,
            "basis": row.basis,
            "tenant_id": who["tenant_id"],
            "workflow_id": who["workflow_id"],
            "model": one.model,
            "token_kind": one.token_kind,
            "unallocated_reason": one.reason,
            "billed_cost": to_text(row.billed),
            "effective_cost": to_text(row.effective),
        }
        found[tuple((name, value or "") for name, value in values.items())] += 1
    assert not (expected - found), f"missing: {expected - found}"
    assert not (found - expected), f"too many: {found - expected}"


def test_worked_day_operation_costs_sum_to_their_rows() -> None:
    rows = _oracle().rows
    assert any(row.operations for row in rows)
    for row in rows:
        assert bool(row.operations) == (row.basis == "operations")
        if row.operations:
            billed, effective = map(sum, zip(*row.operations.values(), strict=True))
            assert (billed, effective) == (row.billed, row.effective)
