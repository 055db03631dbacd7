"""Shares again: what one driver divides over recipients, and who pays for idle.

Belongs here: divisions of kind ``share``, and what the tenant weighs in each. Does not: nodes and
meters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from .arithmetic import quanta, whole
from .failure import RECOMPUTATION, Failed
from .nodes import Nodes
from .pieces import UNITS, Piece, quantity
from .records import COSTS, Amounts, Day, Record, Who, who_of
from .rows import attribution_id

Base = dict[tuple[str | None, str | None], int]
"""(billing account, currency) -> the tenant's cost before a phase, in quanta."""


def base_of(day: Day, pieces: Sequence[Piece]) -> Base:
    """The tenant's base of a ``cost`` driver: the settlement metric of Usage, corrections left out."""
    metric = day.policy.get("settlement", {}).get("metric", "effective_cost")
    sums: Base = defaultdict(int)
    for piece in pieces:
        charge = day.parts[piece.part]["charge"]
        if charge.get("charge_category") == "Usage" and charge.get("charge_class") is None:
            account = (charge.get("billing_account_id"), charge.get("billing_currency"))
            sums[account] += piece.amounts[COSTS.index(metric)]
    return sums


class Shares:
    """Shares of one day."""

    def __init__(self, day: Day, nodes: Nodes, slices: dict[int, Record]) -> None:
        self.day = day
        self.nodes = nodes
        self.slices = slices
        self._idle: dict[tuple[int, Who], list[Piece]] = defaultdict(list)

    def divide(self, division: Record, base: Base) -> Iterator[Piece]:
        """The tenant's parts, after the parts of all recipients were found to be the stated ones."""
        self._require_rule(division)
        members = division["members"]
        weights = [int(member["weight"]) for member in members]
        ties = [int(member.get("tie", -1)) for member in members]
        self._require_order(division)
        parts = [whole(of, weights, ties) for of in self._amounts(division)]
        for member, *found in zip(members, *parts, strict=True):
            stated = [quanta(text) for text in member["amounts"]]
            if stated != found:
                who = member.get("id") or member.get("reason") or "the tenant"
                raise Failed(
                    RECOMPUTATION,
                    f"{self._name(division)}: weight {member['weight']} of {who} is not "
                    f"{' and '.join(member['amounts'])}",
                )
            if "who" in member:
                who_columns = who_of(member["who"])
                self._require_weight(division, member, who_columns, base)
                piece = self._piece(division, who_columns, member, (found[0], found[1]), weights)
                if division["of"] == "idle" and division["driver"] in UNITS:
                    self._idle[piece.part, piece.who].append(piece)
                else:
                    yield piece

    def added_up(self) -> Iterator[Piece]:
        """Idle over operations: one row for all kinds of a node together."""
        for found in self._idle.values():
            first = found[0]
            amounts = (sum(p.amounts[0] for p in found), sum(p.amounts[1] for p in found))
            quantities = [p.quantity or 0 for p in found]
            totals = [p.total or 0 for p in found]
            yield Piece(
                first.kind, first.part, first.component, first.leg, first.basis, first.method,
                first.who, amounts, first.confidence, driver=first.driver, unit=first.unit,
                quantity=sum(quantities), total=sum(totals),
            )  # fmt: skip

    def _piece(
        self,
        division: Record,
        who: Who,
        member: Record,
        amounts: Amounts,
        weights: Sequence[int],
    ) -> Piece:
        of = division["of"]
        return Piece(
            {"charge": "share", "gap": "gap", "idle": "idle"}[of],
            division["part"], division["component"], division["leg"], "driver", "share", who,
            amounts, "estimated" if of == "gap" else "allocated",
            model=division.get("model"), token_kind=division.get("token_kind"),
            driver=division["driver"], unit=division["unit"],
            quantity=int(member["weight"]), total=sum(weights),
        )  # fmt: skip

    def _require_rule(self, division: Record) -> None:
        """The driver is the policy's: of the pool, of its idle, tokens for gaps."""
        said: object = ("tokens", None)
        if division["of"] != "gap":
            pool = self.day.pool(self.day.parts[division["part"]]["pool"])
            said = (pool["driver"], None)
            if division["of"] == "idle":
                idle = pool["idle"]
                within = idle.get("within", "node") if idle["driver"] in UNITS else None
                said = (idle["driver"], within)
        if (division["driver"], division.get("within")) != said:
            raise Failed(RECOMPUTATION, f"{self._name(division)}: the policy says {said}")

    def _require_order(self, division: Record) -> None:
        """Equal remainders go by the ids of rows; of the tenant's own these are known."""
        charge = self.day.parts[division["part"]]["charge"]["charge_id"]
        said = {name: division.get(name) for name in ("component", "leg", "model", "token_kind")}
        own = [
            (int(member["tie"]), attribution_id({
                **said, **member["who"], "charge_date": self.day.day, "charge_id": charge,
            }))
            for member in division["members"]
            if "who" in member and "tie" in member
        ]  # fmt: skip
        if [row for _, row in sorted(own)] != sorted(row for _, row in own):
            raise Failed(RECOMPUTATION, f"{self._name(division)}: ties are not in their order")

    def _amounts(self, division: Record) -> Amounts:
        number = division["part"]
        if division["of"] == "idle":
            found = self.nodes.idle.get((number, division["resource"], division["resource_kind"]))
            if found is None:
                raise Failed(RECOMPUTATION, f"{self._name(division)}: there is no such idle")
            return found
        if division["of"] == "gap":
            (charge,) = (
                c for c in self.slices[division["slice"]]["charges"] if c["part"] == number
            )
            return quanta(charge["rest"][0]), quanta(charge["rest"][1])
        part = self.day.parts[number]
        return quanta(part[COSTS[0]]), quanta(part[COSTS[1]])

    def _require_weight(self, division: Record, member: Record, who: Who, base: Base) -> None:
        weight = self._weight(division, member, who, base)
        if weight != int(member["weight"]):
            raise Failed(
                RECOMPUTATION,
                f"{self._name(division)}: the tenant weighs {weight}, not {member['weight']}",
            )

    def _weight(self, division: Record, member: Record, who: Who, base: Base) -> int:
        driver = division["driver"]
        if division["of"] == "gap":
            mine = self.slices[division["slice"]]["mine"]
            return sum(int(w) for key, w in mine if who_of(self.day.operation(key)) == who)
        if division["of"] == "idle" and driver in UNITS:
            return self._idle_weight(division, member, who, driver)
        if driver in UNITS:
            mine = [op for op in self.day.operations.values() if who_of(op) == who]
            return sum(quantity(operation, driver) for operation in mine)
        if driver == "cost":
            return self._cost(division, base)
        if driver == "fixed":
            return self._fixed(division)
        if driver == "even":
            return 1
        return self._usage(division, who, driver.removeprefix("usage."))

    def _idle_weight(self, division: Record, member: Record, who: Who, driver: str) -> int:
        keys = member["operations"]
        if len(set(keys)) != len(keys):
            raise Failed(RECOMPUTATION, f"{self._name(division)}: an operation counts twice")
        if division["within"] == "node":
            pods = self.nodes.pods_of[division["resource"], division["resource_kind"]]
            there = {key for pod in pods for key in self.nodes.operations_of.get(pod, ())}
            weighing = {
                key
                for key in there
                if who_of(self.day.operation(key)) == who
                and quantity(self.day.operation(key), driver)
            }
            if weighing != set(keys):
                raise Failed(RECOMPUTATION, f"{self._name(division)}: not the node's operations")
        return sum(quantity(self.day.operation(key), driver) for key in keys)

    def _cost(self, division: Record, base: Base) -> int:
        part = self.day.parts[division["part"]]
        charge = part["charge"]
        within = self.day.pool(part["pool"]).get("within", "account")
        total = sum(
            amount
            for (account, currency), amount in base.items()
            if currency == charge.get("billing_currency")
            and (within == "all" or account == charge.get("billing_account_id"))
        )
        return max(total, 0)

    def _fixed(self, division: Record) -> int:
        said = self.day.pool(self.day.parts[division["part"]]["pool"])["fixed"]
        aliases = self.day.policy.get("join", {}).get("tenant_aliases", {})
        percents = {name: Fraction(share) for name, share in said.items()}
        scale = 1
        while any((percent * scale).denominator != 1 for percent in percents.values()):
            scale *= 10
        mine = [
            percent
            for name, percent in percents.items()
            if aliases.get(name, name) == self.day.packet.tenant
        ]
        return int(sum(mine, Fraction(0)) * scale)

    def _usage(self, division: Record, who: Who, metric: str) -> int:
        charge = self.day.parts[division["part"]]["charge"]
        _, _, digits = division["unit"].partition(" x 1e-")
        total = sum(
            (
                Fraction(row["quantity"])
                for row in self.day.usage
                if row["metric"] == metric
                and row.get("service") == charge.get("service")
                and row.get("resource_id") in (None, charge.get("resource_id"))
                and who_of(row) == who
            ),
            Fraction(0),
        )
        return int(total * 10 ** int(digits or 0))

    def _name(self, division: Record) -> str:
        charge = self.day.parts[division["part"]]["charge"]["charge_id"]
        kind = division.get("resource_kind")
        what = f"idle {kind}" if kind else division["component"]
        return f"{self.day.day}: {what} of charge {charge} by {division['driver']}"
