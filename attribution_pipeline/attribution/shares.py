"""Charges that one driver divides over recipients: pools of phases 2 and 5, gaps spread by policy.

Belongs here: who the recipients of each driver are, with their weights. Does not: meters and pods
(``meters``, ``workloads``), which divide at a finer grain.

Recipients are few (tenants, or sets of who-columns), so the division runs on plain integers with
the definition itself, ``model/division``, at any size of weight.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.attribution.kernel import ID_DIGITS, tenant_alone
from attribution_pipeline.attribution.staging import NOBODY, UNVERIFIED, OpenRow, add_open_rows
from attribution_pipeline.attribution.workloads import OPERATION_WEIGHTS
from attribution_pipeline.model.division import largest_remainder
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.money import digits_after_point, parse_decimal, scaled

if TYPE_CHECKING:
    from attribution_pipeline.model.policy import Policy, Pool

_NULL = "\x1e"
_UNIT = "\x1f"


class Recipient(NamedTuple):
    """Who gets a part: a set of who-columns, and the reason where it stays unallocated."""

    who_id: int
    reason: str | None


@dataclass(frozen=True)
class Portion:
    """What a share divides. Amounts in quanta."""

    portion_id: int
    charge_id: str
    billed: int
    effective: int
    service: str | None
    resource_id: str | None
    account: str | None
    currency: str | None


@dataclass(frozen=True)
class Stamp:
    """What the rows of a share have in common."""

    component: str
    leg: str
    driver: str
    unit: str
    confidence: str = "allocated"
    model: str | None = None
    token_kind: str | None = None


Weights = Mapping[Recipient, int]

BASED = ("cost", "even")
"""Drivers that look at what was divided before: see ``Base``."""


class Shares:
    """The drivers of one day."""

    def __init__(self, db: Session, policy: Policy, day: date) -> None:
        self.db = db
        self.policy = policy
        self.day = day
        self._day = day.isoformat()
        self.who_keys = dict(db.rows("select who_id, who_key from actors"))
        self.tenants = {
            tenant: who_id
            for who_id, tenant in db.rows(
                f"select who_id, tenant_id from actors a where {tenant_alone('a.')}"
            )
        }
        self._weights_of_driver: dict[str, Weights] = {}
        self._report: dict[tuple[Any, ...], list[tuple[Any, ...]]] | None = None
        self._rows: list[tuple[object, ...]] = []

    def portions(self, assignment_ids: Iterable[int]) -> dict[int, list[Portion]]:
        """Portions of these assignments by assignment, in order; read at once."""
        wanted = ", ".join(map(str, sorted(assignment_ids))) or "-1"
        found: dict[int, list[Portion]] = defaultdict(list)
        for assignment_id, portion_id, charge_id, billed, effective, *names in self.db.rows(
            "select assignment_id, portion_id, charge_id, billed, effective, service, resource_id, "
            "billing_account_id, billing_currency from portions "
            f"where assignment_id in ({wanted}) order by portion_id"
        ):
            found[assignment_id].append(
                Portion(portion_id, charge_id, int(billed), int(effective), *names)
            )
        return found

    def divide_pool(self, pool: Pool, portions: Sequence[Portion], base: Base) -> None:
        """Every portion of a pool over its driver's recipients, or open where there are none. What was
        divided is in ``staged`` after ``flush``: of many pools at once."""
        unit = _unit(pool.driver)
        open_rows = []
        for portion in portions:
            weights, scaled = self._recipients(pool, portion, base)
            stamp = Stamp(pool.component, "own", pool.driver, unit + scaled)
            if any(weights.values()):
                self._divide(portion, weights, stamp)
            else:
                open_rows.append(OpenRow(portion.portion_id, pool.component, "open", "no_driver"))
        add_open_rows(self.db, open_rows)

    def _recipients(self, pool: Pool, portion: Portion, base: Base) -> tuple[Weights, str]:
        driver = pool.driver
        if driver.startswith("usage."):
            return self._usage(driver.removeprefix("usage."), portion)
        if driver in OPERATION_WEIGHTS:
            return self._over_operations(driver), ""
        if driver == "even":
            return {self._tenant(name): 1 for name in base.tenants}, ""
        if driver == "fixed":
            # percentages may have decimals; as integers they weigh the same
            scale = max(digits_after_point(share) for share in pool.fixed.values())
            fixed: dict[Recipient, int] = defaultdict(int)
            for name, percent in pool.fixed.items():
                fixed[self._tenant(self.policy.tenant_alias(name))] += scaled(percent, scale)
            return fixed, ""
        if driver == "cost":
            return base.cost(portion, within=pool.within), ""
        return {}, ""

    def _tenant(self, name: str) -> Recipient:
        return Recipient(self.tenants[name], None)

    def _over_operations(self, driver: str) -> Weights:
        """The day's operations by who; the same for every charge, so summed once a driver."""
        if driver not in self._weights_of_driver:
            expression = OPERATION_WEIGHTS[driver][0]
            self._weights_of_driver[driver] = {
                Recipient(who_id, reason): int(weight)
                for who_id, reason, weight in self.db.rows(
                    f"select o.who_id, a.reason, sum({expression}) from worked o "
                    "join actors a on a.who_id = o.who_id group by 1, 2 "
                    f"having sum({expression}) > 0 order by 1"
                )
            }
        return self._weights_of_driver[driver]

    def _usage(self, metric: str, portion: Portion) -> tuple[Weights, str]:
        """The report's rows for the service and resource; no resource weighs on all of the service."""
        quantities: list[tuple[Recipient, Decimal]] = []
        for who_id, reason, quantity, object_id, position in self._reported(metric, portion):
            value = parse_decimal(quantity)
            if value < 0:
                raise Refusal(
                    f"quantity {quantity} of {metric} is negative",
                    where=f"usage report {object_id}, record {position}",
                    remedy="weights are non-negative: correct the report",
                )
            quantities.append((Recipient(who_id, reason), value))
        # summed as integers: Decimal's own sums round at 28 digits
        scale = max((digits_after_point(value) for _, value in quantities), default=0)
        weights: dict[Recipient, int] = defaultdict(int)
        for recipient, value in quantities:
            weights[recipient] += scaled(value, scale)
        positive = {recipient: weight for recipient, weight in weights.items() if weight}
        return positive, f" x 1e-{scale}" if scale else ""

    def _reported(self, metric: str, portion: Portion) -> list[tuple[Any, ...]]:
        """The report's rows that weigh on a portion. All that pools ask of are read at once."""
        if self._report is None:
            self._report = defaultdict(list)
            metrics = {pool.driver.removeprefix("usage.") for pool in self.policy.pools}
            for *about, who_id, reason, quantity, object_id, position in self.db.rows(
                "select u.metric, u.service, u.resource_id, a.who_id, a.reason, u.quantity, "
                "u.object_id, u.position from usage_named u join actors a on a.who_id = u.who_id "
                f"where u.metric in ({', '.join('?' * len(metrics))}) order by all",
                sorted(metrics),
            ):
                self._report[tuple(about)].append((who_id, reason, quantity, object_id, position))
        if portion.service is None:
            return []
        resources = dict.fromkeys((None, portion.resource_id))
        return [
            row
            for resource_id in resources
            for row in self._report.get((metric, portion.service, resource_id), ())
        ]

    def spread_gaps(self) -> None:
        """``evidence_gap: spread``: what no operation was seen for, over those that were, by tokens."""
        gaps = self.db.rows(
            "select p.portion_id, p.charge_id, r.billed, r.effective, r.slice_id, n.model, n.token_kind "
            "from meter_rests r join portions p on p.portion_id = r.portion_id "
            "join assignments n on n.assignment_id = p.assignment_id "
            "join meter_slices s on s.slice_id = r.slice_id "
            "where s.seen > 0 and s.billed_tokens is not null and s.seen < s.billed_tokens "
            "and (r.billed <> 0 or r.effective <> 0) order by p.portion_id"
        )
        for portion_id, charge_id, billed, effective, slice_id, model, token_kind in gaps:
            weights = {
                Recipient(who_id, reason): int(weight)
                for who_id, reason, weight in self.db.rows(
                    "select o.who_id, a.reason, sum(w.weight) from meter_weights w "
                    "join ops o on o.op_id = w.op_id join actors a on a.who_id = o.who_id "
                    "where w.slice_id = ? group by 1, 2 order by 1",
                    [slice_id],
                )
            }
            portion = Portion(portion_id, charge_id, int(billed), int(effective), *[None] * 4)
            stamp = Stamp("direct", "spread", "tokens", "tokens", "estimated", model, token_kind)
            self._divide(portion, weights, stamp)
        self.flush()

    def _divide(self, portion: Portion, weights: Weights, stamp: Stamp) -> None:
        ordered = {
            (self._attribution_id(portion, recipient, stamp), recipient): weight
            for recipient, weight in weights.items()
        }
        billed = largest_remainder(portion.billed, ordered)
        effective = largest_remainder(portion.effective, ordered)
        total = Decimal(sum(weights.values()))
        for key, weight in ordered.items():
            recipient = key[1]
            self._rows.append((
                portion.portion_id, stamp.component, stamp.leg, recipient.who_id, stamp.model,
                stamp.token_kind, recipient.reason, stamp.driver, Decimal(weight), total, stamp.unit,
                "unallocated" if recipient.reason else stamp.confidence,
                Decimal(billed[key]), Decimal(effective[key]),
            ))  # fmt: skip

    def _attribution_id(self, portion: Portion, recipient: Recipient, stamp: Stamp) -> str:
        """The same text as ``kernel.attribution_id`` writes in SQL (a test compares them)."""
        text = (
            f"{self._day}{_UNIT}{portion.charge_id}{_UNIT}{stamp.component}{_UNIT}{stamp.leg}{_UNIT}"
            f"{self.who_keys[recipient.who_id]}{_UNIT}{_NULL}{_UNIT}{_or_null(stamp.model)}{_UNIT}"
            f"{_or_null(stamp.token_kind)}{_UNIT}{_or_null(recipient.reason)}"
        )
        return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]

    def flush(self) -> None:
        """Divided rows into ``staged``."""
        import pyarrow as pa

        if not self._rows:
            return
        wide = pa.decimal128(38, 0)
        names = (
            "portion_id", "component", "leg", "who_id", "model", "token_kind", "reason", "driver",
            "quantity", "total", "unit", "confidence", "billed", "effective",
        )  # fmt: skip
        kinds = {"portion_id": pa.int64(), "who_id": pa.int64()} | dict.fromkeys(
            ("quantity", "total", "billed", "effective"), wide
        )
        columns = zip(*self._rows, strict=True)
        arrays = {
            name: pa.array(values, kinds.get(name, pa.string()))
            for name, values in zip(names, columns, strict=True)
        }
        self._rows.clear()
        self.db.load("divided", pa.table(arrays))
        self.db.execute(
            f"""
            insert into staged
            select portion_id, component, leg, 'driver', who_id, null, model, token_kind,
                   reason, reason, 'share', driver, cast(quantity as hugeint),
                   cast(total as hugeint), unit, confidence,
                   cast(billed as {self.db.integer}), cast(effective as {self.db.integer})
            from divided;
            drop table divided
            """
        )

    def divide_idle(self, pool_index: int, pool: Pool, base: Base) -> None:
        """Idle of a pool by a driver over tenants (``cost``, ``even``), each kind on its own."""
        assert pool.idle is not None  # only such pools leave idle_todo to a driver
        driver = str(pool.idle.driver)
        stamp = Stamp("idle", "idle", driver, _unit(driver))
        open_rows = []
        for portion in self._idle_portions(pool_index):
            weights: Weights = (
                base.cost(portion, within=pool.within)
                if driver == "cost"
                else {self._tenant(name): 1 for name in base.tenants}
            )
            if any(weights.values()):
                self._divide(portion, weights, stamp)
            else:
                amounts = (portion.billed, portion.effective)
                open_rows.append(OpenRow(portion.portion_id, "idle", "idle", "no_driver", amounts))
        self.flush()
        add_open_rows(self.db, open_rows)

    def _idle_portions(self, pool_index: int) -> list[Portion]:
        return [
            Portion(portion_id, charge_id, int(billed), int(effective), *names)
            for portion_id, charge_id, billed, effective, *names in self.db.rows(
                "select p.portion_id, p.charge_id, i.billed, i.effective, p.service, p.resource_id, "
                "p.billing_account_id, p.billing_currency from idle_todo i "
                "join portions p on p.portion_id = i.portion_id where i.pool = ? "
                "order by p.portion_id, i.slice_id, i.kind",
                [pool_index],
            )
        ]


@dataclass(frozen=True)
class Base:
    """What stood in the ledger before a phase: tenants, and cost by recipient, frozen.

    ``costs``: (billing account, currency, recipient) -> settlement metric of the Usage rows,
    corrections excluded, in quanta, signed.
    """

    tenants: Sequence[str]
    costs: Mapping[tuple[str | None, str | None, Recipient], int]

    @classmethod
    def freeze(cls, shares: Shares, metric: str) -> Base:
        """The base as the staged rows have it now.

        Dust (``rounding``) and what lies outside the computed range carry no cost of others.
        """
        column = {"billed_cost": "billed", "effective_cost": "effective"}[metric]
        costs: dict[tuple[str | None, str | None, Recipient], int] = defaultdict(int)
        for account, currency, tenant, reason, amount in shares.db.rows(
            f"select p.billing_account_id, p.billing_currency, a.tenant_id, s.reason, sum(s.{column}) "
            "from staged s join portions p on p.portion_id = s.portion_id "
            "join actors a on a.who_id = s.who_id "
            "where p.charge_category = 'Usage' and p.charge_class is null "
            "and coalesce(s.reason, '') not in ('rounding', 'outside_range') "
            "group by all order by all"
        ):
            nobody = UNVERIFIED if reason == "identity_unverified" else NOBODY
            recipient = Recipient(shares.tenants[tenant] if reason is None else nobody, reason)
            costs[account, currency, recipient] += int(amount)
        tenants = [
            name
            for (name,) in shares.db.rows(
                "select distinct a.tenant_id from staged s join actors a on a.who_id = s.who_id "
                "where a.tenant_id is not null and s.reason is null "
                "and (s.billed <> 0 or s.effective <> 0) order by 1"
            )
        ]
        return cls(tenants, costs)

    @classmethod
    def nothing(cls) -> Base:
        """Where nobody asks."""
        return cls((), {})

    def cost(self, portion: Portion, *, within: str) -> Weights:
        """Recipients of a ``cost`` driver: same currency, same account or all; floored at zero."""
        sums: dict[Recipient, int] = defaultdict(int)
        for (account, currency, recipient), amount in self.costs.items():
            if currency == portion.currency and within in ("all", _same(account, portion.account)):
                sums[recipient] += amount
        return {recipient: amount for recipient, amount in sums.items() if amount > 0}


def _or_null(word: str | None) -> str:
    return _NULL if word is None else word


def _same(account: str | None, other: str | None) -> str:
    return "account" if account == other else ""


def _unit(driver: str) -> str:
    if driver in OPERATION_WEIGHTS:
        return OPERATION_WEIGHTS[driver][1]
    return {"cost": "1e-12", "even": "tenants", "fixed": "percent"}.get(
        driver, driver.removeprefix("usage.")
    )
