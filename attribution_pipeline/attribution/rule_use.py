"""Which rules of a policy took something of a day, and which took nothing.

Belongs here: asking each kind of rule of a day's planes, without dividing anything. Does not: which days
are asked (``orchestration``), how it reads (``views.rule_use``), what a rule means (``model.policy``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.day import Finding
from attribution_pipeline.attribution.matching import assign, columns_read, tags_of
from attribution_pipeline.attribution.nodes import is_of

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session
    from attribution_pipeline.model.policy import Policy, Serving

KINDS = ("meters", "pools", "nodes", "serving", "dedicated", "owners")
"""Lists of rules that are asked, as the policy file names them (``dedicated`` under ``join``)."""

BILLED_AS = ("ServiceName", "SkuMeter", "BillingCurrency")
"""What a charge that no rule takes is called by: a rule is written from these, and from its unit."""

Meter = tuple[str | None, ...]
"""Values of ``BILLED_AS``."""

Pod = Mapping[str, str | None]
Files = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class RuleUse:
    """Of one day or of several. ``taken``: kind to the places (from 0) of rules that took something.
    ``met``: the same of rules whose conditions something met, whichever rule took it; ``nameless``: meters
    whose conditions charges met that name no model as the meter has it. ``asked``: kinds that there was
    evidence for. ``unserved``: serving rules that calls match although
    their workload has no pod. ``untaken``: charges that no rule takes, in the policy's metric;
    ``units``: theirs."""

    taken: Mapping[str, frozenset[int]] = field(default_factory=dict)
    met: Mapping[str, frozenset[int]] = field(default_factory=dict)
    nameless: frozenset[int] = frozenset()
    asked: frozenset[str] = frozenset()
    unserved: frozenset[int] = frozenset()
    untaken: Mapping[Meter, Decimal] = field(default_factory=dict)
    units: Mapping[Meter, frozenset[str]] = field(default_factory=dict)

    def __or__(self, other: RuleUse) -> RuleUse:
        """Of the days of both."""
        return RuleUse(
            _of_both(self.taken, other.taken),
            _of_both(self.met, other.met),
            self.nameless | other.nameless,
            self.asked | other.asked,
            self.unserved | other.unserved,
            {
                meter: self.untaken.get(meter, Decimal(0)) + other.untaken.get(meter, Decimal(0))
                for meter in self.untaken.keys() | other.untaken.keys()
            },
            {
                meter: self.units.get(meter, frozenset()) | other.units.get(meter, frozenset())
                for meter in self.units.keys() | other.units.keys()
            },
        )

    def idle(self, kind: str, rules: Sequence[object]) -> list[int]:
        """Places of rules that took nothing, though there was something to take."""
        if kind not in self.asked:
            return []
        taken = self.taken.get(kind, frozenset())
        return [place for place in range(len(rules)) if place not in taken]

    def came_late(self, kind: str, place: int) -> bool:
        """Whether an idle rule's conditions were met: other rules were asked before it."""
        return place in self.met.get(kind, frozenset())


def rules_used(
    db: Session,
    policy: Policy,
    *,
    charges: Sequence[str],
    cluster: Files,
    operations: Sequence[str],
    owned: Iterable[tuple[str | None, str | None]],
) -> RuleUse:
    """Rules of ``policy`` on one day's planes; ``owned``: tenant and workflow of the ledger's rows.
    ``operations`` may be left empty where the policy has no ``serving``: nothing else asks them."""
    taken: dict[str, set[int]] = {kind: set() for kind in KINDS}
    met: dict[str, set[int]] = {kind: set() for kind in KINDS}
    nameless: set[int] = set()
    asked = set()
    untaken: dict[Meter, Decimal] = {}
    units: dict[Meter, set[str]] = {}
    if _of_charges(db, policy, charges, taken, met, nameless, untaken, units):
        asked |= {"meters", "pools"}
    nodes = _distinct(db, cluster["nodes"], ("provider_id", "name"))
    for provider_id, name in nodes:
        ids = [rule.id_of(provider_id=provider_id, node=name) for rule in policy.nodes]
        taken["nodes"] |= _first([found is not None for found in ids])
        met["nodes"] |= {place for place, found in enumerate(ids) if found is not None}
    pods = _pods(db, cluster["pods"])
    for pod in pods:
        for place, rule in enumerate(policy.join.dedicated):
            if rule.matches(**pod):
                taken["dedicated"].add(place)
    calls = _calls(db, operations) if policy.serving else []
    routes = serving_routes(policy, calls)
    if nodes or pods:
        asked |= {"nodes", "dedicated"}
    if calls:
        asked.add("serving")
        taken["serving"] = set(routes)
        met["serving"] = _met_by_calls(policy, calls)
    for tenant, workflow in owned:
        asked.add("owners")
        owner = policy.owner_of(tenant, workflow)
        # by identity: two owners may say the same
        taken["owners"] |= _first([rule is owner for rule in policy.owners])
        met["owners"] |= {
            place for place, rule in enumerate(policy.owners) if rule.matches(tenant, workflow)
        }
    return RuleUse(
        {kind: frozenset(places) for kind, places in taken.items()},
        {kind: frozenset(places) for kind, places in met.items()},
        frozenset(nameless),
        frozenset(asked),
        frozenset(place for place in routes if pods and not _has_pod(policy.serving[place], pods)),
        untaken,
        {meter: frozenset(found) for meter, found in units.items()},
    )


def serving_without_pods(db: Session, policy: Policy, operations: Sequence[str]) -> list[Finding]:
    """Findings of a day: rules under ``serving`` whose calls were made, and whose workload no pod of the
    day is of. Reads ``pods_named``; calls are read only where some workload has no pod."""
    if not policy.serving:
        return []
    pods = _dictionaries(
        db.rows("select distinct cluster, namespace, controller from pods_named order by all"),
        ("cluster", "namespace", "controller"),
    )
    if not pods or all(_has_pod(rule, pods) for rule in policy.serving):
        return []
    found = serving_routes(policy, _calls(db, operations))
    return [
        Finding(
            "serving_without_workload",
            "warn",
            workload_words(policy.serving[place]),
            f"rule {place + 1} under `serving:` takes {calls:,} calls, and OpenCost has no pod of its "
            "workload: no server's cost follows them",
        )
        for place, calls in sorted(found.items())
        if not _has_pod(policy.serving[place], pods)
    ]


def serving_routes(
    policy: Policy, calls: Iterable[tuple[str | None, str | None, int]]
) -> dict[int, int]:
    """Rule under ``serving`` (from 0) to the calls that it takes."""
    found: dict[int, int] = {}
    for address, model, count in calls:
        for place, rule in enumerate(policy.serving):
            if rule.matches(server_address=address, model=model):
                found[place] = found.get(place, 0) + count
                break
    return found


def workload_words(rule: Serving) -> str:
    """``inference/vllm``, with the cluster where the rule names one."""
    workload = rule.workload
    return "/".join(
        part
        for part in (workload.cluster, workload.namespace, workload.controller or "*")
        if part is not None
    )


def _of_charges(
    db: Session,
    policy: Policy,
    charges: Sequence[str],
    taken: Mapping[str, set[int]],
    met: Mapping[str, set[int]],
    nameless: set[int],
    untaken: dict[Meter, Decimal],
    units: dict[Meter, set[str]],
) -> bool:
    """Meters and pools that took a charge, and what none of them took; whether there was any charge."""
    columns = sorted({*columns_read(policy), *BILLED_AS})
    db.view("charges_asked", charges)
    listed = ", ".join(f'"{column}"' for column in columns)
    # the unit that a meter would go by: see ``Meter.tokens_per_unit``
    rows = db.rows(
        f"select {listed}, case when consumed_quantity is null then PricingUnit else ConsumedUnit end "
        f"as unit, sum({policy.settlement.metric}) as cost from charges_asked where not outside_range "
        f"group by {listed}, unit order by all"
    )
    for *values, unit, cost in rows:
        row = dict(zip(columns, values, strict=True))
        _meet(policy, row, met, nameless)
        found = assign(row, policy, outside_range=False)
        if found.kind == "meter":
            taken["meters"].add(found.meter)
        elif found.pool >= 0:
            taken["pools"].add(found.pool)
        elif found.kind == "tag":
            # a pool may have let the tag answer first
            pool = policy.pool_of(row, tags_of(row))
            taken["pools"] |= {pool[0]} if pool else set()
        elif found.kind == "unmatched":
            meter = tuple(row[name] for name in BILLED_AS)
            untaken[meter] = untaken.get(meter, Decimal(0)) + (cost or Decimal(0))
            units.setdefault(meter, set()).update([unit] if unit else [])
    return bool(rows)


def _meet(
    policy: Policy, row: Mapping[str, str | None], met: Mapping[str, set[int]], nameless: set[int]
) -> None:
    """Meters and pools whose conditions a charge meets."""
    from attribution_pipeline.model.policy import matches

    tags = tags_of(row)
    for place, meter in enumerate(policy.meters):
        if place not in met["meters"] and matches(meter.match, row, tags):
            (nameless if meter.model_of(row, tags) is None else met["meters"]).add(place)
    for place, pool in enumerate(policy.pools):
        if place not in met["pools"] and matches(pool.match, row, tags):
            met["pools"].add(place)


def _met_by_calls(policy: Policy, calls: Iterable[tuple[str | None, str | None, int]]) -> set[int]:
    return {
        place
        for address, model, _ in calls
        for place, rule in enumerate(policy.serving)
        if rule.matches(server_address=address, model=model)
    }


def _calls(db: Session, operations: Sequence[str]) -> list[tuple[str | None, str | None, int]]:
    """(server address, model, how many) of calls whose server said no pod."""
    db.view("calls_asked", operations)
    return [
        (address, model, int(count))
        for address, model, count in db.rows(
            "select server_address, model, count(*) from calls_asked where serving_pod is null "
            "group by server_address, model order by all"
        )
    ]


def _pods(db: Session, files: Sequence[str]) -> list[dict[str, str | None]]:
    names = ("cluster", "namespace", "controller", "pod")
    db.view("pods_asked", files)
    return _dictionaries(
        db.rows(
            f"select distinct {', '.join(names)} from pods_asked where row_kind = 'workload' "
            "order by all"
        ),
        names,
    )


def _distinct(
    db: Session, files: Sequence[str], columns: Sequence[str]
) -> list[tuple[str | None, ...]]:
    db.view("nodes_asked", files)
    return db.rows(f"select distinct {', '.join(columns)} from nodes_asked order by all")


def _dictionaries(
    rows: Iterable[Sequence[str | None]], names: Sequence[str]
) -> list[dict[str, str | None]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def _has_pod(rule: Serving, pods: Collection[Pod]) -> bool:
    workload = rule.workload.model_dump()
    return any(is_of(pod, workload) for pod in pods)


def _of_both(
    one: Mapping[str, frozenset[int]], other: Mapping[str, frozenset[int]]
) -> dict[str, frozenset[int]]:
    none: frozenset[int] = frozenset()
    return {kind: one.get(kind, none) | other.get(kind, none) for kind in KINDS}


def _first(held: Sequence[bool]) -> set[int]:
    return {held.index(True)} if True in held else set()
