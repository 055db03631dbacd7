"""Nodes, volumes and pods again: a charge over kinds, pods, operations; what no pod used.

Belongs here: divisions of kinds ``node``, ``volume`` and ``pod``. Does not: who pays for idle
(``shares``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from .arithmetic import part, quanta, whole
from .failure import RECOMPUTATION, Failed
from .pieces import UNITS, Piece, Request, quantity
from .records import COSTS, WHO, Amounts, Day, Record, Who, who_of

KINDS = ("cpu", "gpu", "ram")
"""A node's resource kinds, in the order that breaks ties between them."""

PodAmounts = dict[tuple[int, str], list[int]]
IdleAmounts = dict[tuple[int, str, str], Amounts]


class Nodes:
    """The cluster's part of a day: what pods and what nobody has of each charge."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.of_pod: PodAmounts = defaultdict(lambda: [0, 0])
        """(part, pod) -> both costs."""
        self.idle: IdleAmounts = {}
        """(part, resource, kind) -> both costs, signed."""
        self.pods_of: dict[tuple[str, str], set[str]] = defaultdict(set)
        """(resource, kind) -> pods with cost of it."""
        self.operations_of: dict[str, set[str]] = defaultdict(set)
        """Pod -> the tenant's operations that it worked for."""

    def node(self, division: Record) -> None:
        """One charge of a node: over its kinds by the assets' cost, each kind over pods."""
        number, resource = division["part"], division["resource"]
        costs = [int(division["cost"][kind]) for kind in KINDS]
        is_scaled = self.day.pool(division["pool"]).get("over_allocation") == "scale"
        by_kind = [whole(of, costs, range(len(KINDS))) for of in self._amounts(number)]
        for n, kind in enumerate(KINDS):
            weights = {pod: int(found[n]) for pod, *found in division["pods"] if int(found[n])}
            denominator = max(costs[n], sum(weights.values())) if is_scaled else costs[n]
            if denominator <= 0:
                continue
            self.pods_of[resource, kind] |= set(weights)
            rest = []
            for cost, amounts in enumerate(by_kind):
                parts = {pod: part(amounts[n], w, denominator) for pod, w in weights.items()}
                for pod, found in parts.items():
                    self.of_pod[number, pod][cost] += found
                rest.append(amounts[n] - sum(parts.values()))
            self.idle[number, resource, kind] = (rest[0], rest[1])

    def volume(self, division: Record) -> None:
        """One charge of a volume or load balancer over the pods behind it."""
        pods = [pod for pod, _ in division["pods"]]
        weights = [int(weight) for _, weight in division["pods"]]
        for cost, of in enumerate(self._amounts(division["part"])):
            for pod, found in zip(pods, whole(of, weights, range(len(pods))), strict=True):
                self.of_pod[division["part"], pod][cost] += found

    def _amounts(self, number: int) -> Amounts:
        found = self.day.parts[number]
        return quanta(found[COSTS[0]]), quanta(found[COSTS[1]])

    def pods(self, divisions: list[Record]) -> Iterator[Piece | Request]:
        """Pods that worked for the tenant, over their operations."""
        shared: dict[tuple[int, str], list[tuple[int, int, Amounts]]] = defaultdict(list)
        for division in divisions:
            weights = [int(weight) for weight in division["weights"].split()]
            self._require_weights(division, weights)
            self.operations_of[division["pod"]] |= {key for _, key in division["mine"]}
            for (number, pod), amounts in list(self.of_pod.items()):
                if pod != division["pod"] or not any(amounts):
                    continue
                if self.day.parts[number].get("pool") != division["pool"]:
                    continue
                if not weights:
                    if division.get("dedicated"):
                        whole_pod = (amounts[0], amounts[1])
                        yield self._dedicated(number, whole_pod, division["dedicated"])
                    continue
                places = range(len(weights))
                parts = [whole(of, weights, places) for of in amounts]
                for place, key in division["mine"]:
                    if place is not None:
                        found = (parts[0][place], parts[1][place])
                        shared[number, key].append((weights[place], sum(weights), found))
        yield from self._of_operations(shared, divisions)

    def _of_operations(
        self,
        shared: dict[tuple[int, str], list[tuple[int, int, Amounts]]],
        divisions: list[Record],
    ) -> Iterator[Piece | Request]:
        drivers = {division["pool"]: division["driver"] for division in divisions}
        groups: dict[tuple[int, Who, str | None, str | None], list[tuple[str, int, int, Amounts]]]
        groups = defaultdict(list)
        for (number, key), found in shared.items():
            amounts = _sum([amounts for _, _, amounts in found])
            if any(amounts):
                weight = sum(weight for weight, _, _ in found)
                yield Request(number, key, "workload", None, weight, amounts)
            operation = self.day.operation(key)
            group = (number, who_of(operation), operation.get("operation_name"),
                     operation.get("model"))  # fmt: skip
            groups[group] += [(key, *one) for one in found]
        for (number, who, name, model), members in groups.items():
            driver = drivers[self.day.parts[number]["pool"]]
            is_estimated = any(
                self.day.operation(key)["counted"] != self.day.operation(key)["of_sampled"]
                for key, *_ in members
            )
            yield Piece(
                "pod", number, "workload", "own", "operations", "node", who,
                _sum([amounts for _, _, _, amounts in members]),
                "estimated" if is_estimated else "allocated",
                operation_name=name, model=model, driver=driver, unit=UNITS[driver],
                quantity=sum(weight for _, weight, _, _ in members),
                total=sum(total for _, _, total, _ in members),
            )  # fmt: skip

    def _require_weights(self, division: Record, weights: list[int]) -> None:
        for place, key in division["mine"]:
            stated = 0 if place is None else weights[place]
            if division["driver"] != "none" and stated != quantity(
                self.day.operation(key), division["driver"]
            ):
                raise Failed(
                    RECOMPUTATION, f"{self.day.day}: {key} does not weigh {stated} on its pod"
                )
        if division["driver"] != self.day.pool(division["pool"])["driver"]:
            raise Failed(RECOMPUTATION, f"{self.day.day}: a pod's driver is not the policy's")
        placed = sorted((place, key) for place, key in division["mine"] if place is not None)
        if [key for _, key in placed] != sorted(key for _, key in placed):
            raise Failed(RECOMPUTATION, f"{self.day.day}: calls of a pod are not in their order")
        others = sum(int(weight) for _, weight, _ in division["others"])
        own = sum(weights[place] for place, _ in division["mine"] if place is not None)
        if own + others != sum(weights):
            raise Failed(RECOMPUTATION, f"{self.day.day}: weights of a pod do not sum")

    def _dedicated(self, number: int, amounts: Amounts, label: str) -> Piece:
        who = tuple(self.day.packet.tenant if column == WHO[0] else None for column in WHO)
        return Piece(
            "workload", number, "workload", "own", "workload", "node", who, amounts, "allocated",
            driver=label,
        )  # fmt: skip


def _sum(amounts: list[Amounts]) -> Amounts:
    return sum(one[0] for one in amounts), sum(one[1] for one in amounts)
