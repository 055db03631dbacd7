"""How right a ledger is, where truth is known: the simulator's ``truth/`` against the ledger.

Belongs here: the measures and the goals of design page 40, "Accuracy". Does not: truth itself
(``simulator``), how the ledger came about (``attribution``), figures where nobody knows the truth
(``scorecard``).

What is measured, for ``billed_cost`` and ``effective_cost`` each on its own:

- **tie_out**: sum over charges of |ledger - truth|. Goal: 0.
- **wrong tenant**, by confidence: what stands on a tenant, as direct, workload or shared cost,
  beyond what that tenant caused of that charge. Idle and overhead are not in it: nobody causes
  them, the policy places them; they are *held apart*, and only what they sum to is compared.
  ``metered``: 0, under every fault, and beside no bound, over all days of a meter together. What is
  ``allocated`` and ``estimated``: at most the bound, charge by charge, never only in total.
- **wrong day**: metered cost that is its tenant's, but on another day, because a clock was wrong. It
  too stays within its bound, charge by charge; where clocks are right that is 0.
- **bound** of a charge, from the simulator: OpenCost's rounding (5e-6 USD on every field, times
  billed over list), plus for every pod its cost times the total variation that withheld spans can
  cause between true and shown active time, plus a quantum for each part of a division. A meter
  has no bound, but for the calls that a wrong clock takes over midnight.
- **knowable cost on its cause**: of cost whose every carrier reached us (the simulator says so,
  never the engine) the share that stands on its own tenant *and* workflow. Goal: short of 1 by no
  more than the bound, charge by charge, and at least ``LEAST_ON_CAUSE`` of all. Telling more than
  was knowable is no failure; telling it wrong is a wrong tenant.
- **unallocated by reason**, against the reason that truth expects. Goal: each charge's difference
  within its bound, so that lost money stands under the right reason and no other.

All arithmetic is DECIMAL and integers; nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.ledger import CONFIDENCES
from attribution_pipeline.model.money import SCALE

if TYPE_CHECKING:
    import pyarrow as pa

COSTS = ("billed_cost", "effective_cost")
OWN_COMPONENTS = ("direct", "workload", "shared")
"""Components that stand on who caused them. Idle and overhead follow the policy."""

LEAST_ON_CAUSE = Decimal("0.995")
"""Of knowable cost, under every fault (issue 4)."""

_CHARGE = (
    "charge_date", "service", "sub_account_id", "resource_id", "region", "charge_category",
    "charge_class",
)  # fmt: skip
"""What truth and ledger both name a charge by, with model and token kind where a meter has them."""

COARSE = ("charge_date", "service", "resource_id")
"""What others than the ledger name a charge by, when they are measured: they keep nothing finer."""

_EXACT = Context(prec=80)
SHARE_DIGITS = 12


@dataclass(frozen=True)
class ReasonRow:
    """One unallocated reason: what the ledger holds under it, and what truth expects."""

    reason: str
    said: Decimal
    expected: Decimal
    apart: Decimal
    """Sum over charges of |said - expected|."""


@dataclass(frozen=True)
class CostAccuracy:
    """The measures of one cost."""

    tie_out: Decimal
    wrong_tenant: Mapping[str, Decimal]
    """By confidence; every confidence is there."""
    bound: Decimal
    knowable: Decimal
    on_cause: Decimal
    reasons: Sequence[ReasonRow]
    wrong_day: Decimal = Decimal(0)
    """Metered, beyond what is on a wrong tenant."""

    @property
    def share_on_cause(self) -> Decimal:
        """Of knowable cost, truncated to 12 digits: 1 means all of it."""
        if not self.knowable:
            return Decimal(1)
        share = _EXACT.divide(self.on_cause, self.knowable)
        return share.quantize(
            Decimal(1).scaleb(-SHARE_DIGITS), rounding="ROUND_DOWN", context=_EXACT
        )


@dataclass(frozen=True)
class Accuracy:
    """A ledger's measures by cost, and every goal that it misses."""

    by_cost: Mapping[str, CostAccuracy]
    failures: Sequence[str]

    @property
    def tie_out(self) -> Decimal:
        return max(found.tie_out for found in self.by_cost.values())

    @property
    def bound(self) -> Decimal:
        return max(found.bound for found in self.by_cost.values())

    @property
    def share_on_cause(self) -> Decimal:
        return min(found.share_on_cause for found in self.by_cost.values())

    @property
    def wrong_day(self) -> Decimal:
        return max(found.wrong_day for found in self.by_cost.values())

    def wrong_tenant(self, confidence: str) -> Decimal:
        """The worse of the two costs; they are never added."""
        return max(found.wrong_tenant[confidence] for found in self.by_cost.values())

    def as_record(self, faults: Iterable[str]) -> dict[str, Any]:
        """What ``build/truth.json`` holds of one run. Amounts are text; the worse of both costs."""
        return {
            "faults": list(faults),
            "tie_out": text(self.tie_out),
            "wrong_tenant_metered": text(self.wrong_tenant("metered")),
            "wrong_tenant_allocated": text(self.wrong_tenant("allocated")),
            "wrong_tenant_estimated": text(self.wrong_tenant("estimated")),
            "wrong_day": text(self.wrong_day),
            "bound": text(self.bound),
            "knowable_on_cause": text(self.share_on_cause),
            "unallocated": {
                cost: {
                    row.reason: {"ledger": text(row.said), "expected": text(row.expected)}
                    for row in found.reasons
                }
                for cost, found in self.by_cost.items()
            },
            "failures": list(self.failures),
        }


def text(amount: Decimal) -> str:
    """An amount with all twelve digits, never in E notation."""
    return format(amount.quantize(Decimal(1).scaleb(-SCALE), context=_EXACT), "f")


def measure(
    ledger: pa.Table, truth: pa.Table, bounds: pa.Table, *, coarse: bool = False
) -> Accuracy:
    """Hold ``ledger`` (model.ledger.LEDGER) against ``truth`` and ``bounds`` (simulator.truth).

    All three of the same days. Days outside the truth's are an untied difference, not ignored.
    ``coarse``: charges are named by ``COARSE`` alone, so that errors within one even out.
    """
    names = COARSE if coarse else (*_CHARGE, "token_kind")
    import duckdb

    with duckdb.connect() as db:
        for name, table in (("ledger", ledger), ("truth", truth), ("bounds", bounds)):
            db.register(name, table)
        sql = files("attribution_pipeline.proof").joinpath("sql/accuracy.sql").read_text()
        db.execute(
            sql.format(
                charge_of_ledger=_charge(names, "" if coarse else _MODEL_OF_LEDGER),
                charge_of_truth=_charge(names, "" if coarse else "model"),
                meter_of_ledger=_charge(names[1:], "" if coarse else _MODEL_OF_LEDGER),
                meter_of_truth=_charge(names[1:], "" if coarse else "model"),
                own_components=", ".join(f"'{name}'" for name in OWN_COMPONENTS),
            )
        )
        by_cost = {cost: _of_cost(db, cost) for cost in COSTS}
        failures = [failure for cost in COSTS for failure in _failures(db, cost)]
    for cost, found in by_cost.items():
        if found.share_on_cause < LEAST_ON_CAUSE:
            failures.append(
                f"{cost}: {found.share_on_cause} of knowable cost is on its cause, "
                f"the goal is {LEAST_ON_CAUSE}"
            )
    return Accuracy(by_cost, failures)


_MODEL_OF_LEDGER = "case when token_kind is not null then model end"


def _charge(names: Sequence[str], model: str) -> str:
    said = [*names[:-1], model, names[-1]] if model else names
    texts = [f"coalesce(cast({name} as varchar), '-')" for name in said]
    return f"concat_ws(' | ', {', '.join(texts)})"


def _of_cost(db: Any, cost: str) -> CostAccuracy:
    def amount(query: str) -> Decimal:
        found = db.execute(query, [cost]).fetchone()[0]
        return Decimal(0) if found is None else Decimal(found)

    wrong = dict(
        db.execute(
            "select confidence, sum(wrong) from wrong_tenant where cost = ? group by 1", [cost]
        ).fetchall()
    )
    on_a_day = wrong.get("metered", Decimal(0))
    wrong["metered"] = amount("select sum(wrong) from wrong_over_days where cost = ?")
    return CostAccuracy(
        wrong_day=on_a_day - wrong["metered"],
        tie_out=amount("select sum(abs(said - caused)) from tie_out where cost = ?"),
        wrong_tenant={name: wrong.get(name, Decimal(0)) for name in CONFIDENCES},
        bound=amount("select sum(bound) from charge_bounds where cost = ?"),
        knowable=amount("select sum(knowable) from on_cause where cost = ?"),
        on_cause=amount("select sum(found) from on_cause where cost = ?"),
        reasons=[
            ReasonRow(*row)
            for row in db.execute(
                "select reason, sum(said), sum(expected), sum(abs(said - expected)) from reasons "
                "where cost = ? group by reason order by reason",
                [cost],
            ).fetchall()
        ],
    )


_BOUND = (
    "left join charge_bounds b on b.cost = f.cost and b.currency = f.currency "
    "and b.charge = f.charge where f.cost = ?"
)

_GOALS: tuple[tuple[str, str], ...] = (
    (
        "does not tie out: the ledger holds {1}, the bill {2}",
        "select charge, said, caused from tie_out where cost = ? and said <> caused order by 1",
    ),
    (
        "metered cost of {1} stands on a tenant that did not cause it",
        "select meter, wrong from wrong_over_days where cost = ? order by 1",
    ),
    (
        "metered cost of {1} stands on a tenant that did not cause it that day, above its bound of {2}",
        f"select f.charge, f.wrong, coalesce(b.bound, 0) from wrong_tenant f {_BOUND} "
        "and f.confidence = 'metered' and f.wrong > coalesce(b.bound, 0) order by 1",
    ),
    (
        "{1} stands on tenants that did not cause it, above its bound of {2}",
        "select f.charge, sum(f.wrong), coalesce(any_value(b.bound), 0) "
        f"from wrong_tenant f {_BOUND} and f.confidence <> 'metered' group by f.charge "
        "having sum(f.wrong) > coalesce(any_value(b.bound), 0) order by 1",
    ),
    (
        "{1} of its knowable cost is not on its cause, above its bound of {2}",
        f"select f.charge, f.knowable - f.found, coalesce(b.bound, 0) from on_cause f {_BOUND} "
        "and f.knowable - f.found > coalesce(b.bound, 0) order by 1",
    ),
    (
        "holds {2} as {1}, truth expects {3}: apart by more than its bound of {4}",
        "select f.charge, f.reason, f.said, f.expected, coalesce(b.bound, 0) "
        f"from reasons f {_BOUND} and abs(f.said - f.expected) > coalesce(b.bound, 0) order by 1, 2",
    ),
    (
        "holds {2} as {1}, truth {3}: apart by more than its bound of {4}",
        "select f.charge, f.component, f.said, f.caused, coalesce(b.bound, 0) "
        f"from held_apart f {_BOUND} and abs(f.said - f.caused) > coalesce(b.bound, 0) order by 1, 2",
    ),
)
"""What a failure says, with columns by place ({0} is the charge), and the rows that fail."""


def _failures(db: Any, cost: str) -> Iterable[str]:
    for message, query in _GOALS:
        for row in db.execute(query, [cost]).fetchall():
            words = [text(value) if isinstance(value, Decimal) else str(value) for value in row]
            yield f"{cost}: {words[0]}: {message.format(*words)}"
