"""What a driver weighs: recipients and their quantities (page 30, "Drivers").

Belongs here: who receives and how much weighs on whom. Does not: the division.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction

from attribution_pipeline.model.policy import Policy, Pool
from attribution_pipeline_tests.oracle.book import TENANT, tenant_alone
from attribution_pipeline_tests.oracle.clusters import Cluster
from attribution_pipeline_tests.oracle.meters import tokens_of
from attribution_pipeline_tests.oracle.operations import active_ms, ends_on, who_of
from attribution_pipeline_tests.oracle.words import (
    NOBODY,
    Evidence,
    Operation,
    Piece,
    Row,
    Who,
)

Recipient = tuple[Who, str | None]
"""Who, and the reason under which the part stays unallocated, if it does."""


class Drivers:
    """Quantities of one day. ``before``: the rows of the phases before this one."""

    def __init__(
        self, evidence: Evidence, policy: Policy, day: date, operations: list[Operation],
        cluster: Cluster, before: list[Row],
    ) -> None:  # fmt: skip
        self.policy = policy
        self.day = day
        self.operations = operations
        self.before = before
        self._usage = [row for row in evidence.of("usage") if row["date"] == day]
        self._on_gpu = {
            operation.key
            for pod in cluster.pods
            if any(cost["gpu"] > 0 for cost in pod.cost.values())
            for operation in cluster.operations_on(pod)
        }

    def of_operation(self, driver: str, operation: Operation) -> int:
        """What one operation weighs. Tokens and requests belong to the day on which it ends."""
        if driver in ("active_time", "gpu_time"):
            on_driver = driver == "active_time" or operation.key in self._on_gpu
            return active_ms(operation, self.day) * operation.counted if on_driver else 0
        if not ends_on(operation, self.day):
            return 0
        return tokens_of(operation, "total") if driver == "tokens" else operation.counted

    def by_who(self, driver: str, operations: Iterable[Operation]) -> dict[Recipient, Fraction]:
        """The distinct operations' weights, by distinct who-columns."""
        weights: dict[Recipient, Fraction] = {}
        for operation in {operation.key: operation for operation in operations}.values():
            _add(weights, operation.who, self.of_operation(driver, operation), operation.reason)
        return weights

    def recipients(
        self, driver: str, piece: Piece, pool: Pool, fixed: dict[str, Decimal] | None = None
    ) -> dict[Recipient, Fraction]:
        """Who receives a charge's parts under a driver, with weights above zero."""
        weights: dict[Recipient, Fraction] = {}
        if driver.startswith("usage."):
            weights = self._reported(driver.removeprefix("usage."), piece)
        elif driver == "cost":
            weights = self._cost(piece, pool)
        elif driver == "even":
            for row in self.before:
                if row.identity.who[TENANT] is not None and (row.billed or row.effective):
                    weights[tenant_alone(row.identity.who[TENANT] or ""), None] = Fraction(1)
        elif driver == "fixed":
            for tenant, percent in (fixed or {}).items():
                weights[tenant_alone(tenant), None] = Fraction(percent)
        elif driver != "none":
            weights = self.by_who(driver, self.operations)
        return {recipient: weight for recipient, weight in weights.items() if weight > 0}

    def _reported(self, metric: str, piece: Piece) -> dict[Recipient, Fraction]:
        weights: dict[Recipient, Fraction] = {}
        for row in self._usage:
            if (row["service"], row["metric"]) != (piece.charge.service, metric):
                continue
            if row["resource_id"] in (None, "", piece.charge.resource_id):
                who = who_of(row, {}, self.policy.join.tenant_aliases)
                _add(weights, who, Fraction(row["quantity"]))
        return weights

    def _cost(self, piece: Piece, pool: Pool) -> dict[Recipient, Fraction]:
        """Usage rows before this phase, each unallocated reason a recipient but for dust."""
        weights: dict[Recipient, Fraction] = {}
        for row in self.before:
            charge, reason = row.identity.charge, row.identity.reason
            if charge.category != "Usage" or charge.charge_class == "Correction":
                continue
            if charge.currency != piece.charge.currency or reason == "rounding":
                continue
            if pool.within == "account" and charge.billing_account_id != (
                piece.charge.billing_account_id
            ):
                continue
            billed = self.policy.settlement.metric == "billed_cost"
            amount = row.billed if billed else row.effective
            who = NOBODY if reason else tenant_alone(row.identity.who[TENANT] or "")
            weights[who, reason] = weights.get((who, reason), Fraction(0)) + amount
        return weights


def _add(
    weights: dict[Recipient, Fraction], who: Who, weight: int | Fraction, reason: str | None = None
) -> None:
    """Add a quantity; one of nothing makes no recipient."""
    if weight > 0:
        weights[who, reason] = weights.get((who, reason), Fraction(0)) + weight
