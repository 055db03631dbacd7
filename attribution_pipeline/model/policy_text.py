"""A policy in words: the runbook that people read in Dagster's UI and in the docs, as Markdown.

Belongs here: the order of the runbook's sections and what each says. Does not: the formulas' own
texts and worked lines (``policy_words``), or any rule: this module only tells what others do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from attribution_pipeline.model import policy_words as words
from attribution_pipeline.model.policy import Meter, Policy, Pool
from attribution_pipeline.model.policy.history import SHORT_DIGEST
from attribution_pipeline.model.strict import EXACT


def summary(policy: Policy) -> list[str]:
    """A few plain lines: which version this is and what it holds."""
    drivers = sorted({pool.driver for pool in policy.pools})
    return [
        f"{policy.policy} version {policy.version}, in force from charge day "
        f"{policy.effective_from}, digest {policy.digest[:SHORT_DIGEST]}",
        f"{_count(policy.meters, 'meter')}, {_count(policy.pools, 'pool')}"
        + (f" ({', '.join(drivers)})" if drivers else "")
        + f", {_count(policy.nodes, 'node mapping')}, {_count(policy.serving, 'serving rule')}",
        f"chargeback sums {policy.settlement.metric}; tie-out tolerance "
        f"{policy.tolerance.tie_out}; a day is provisional for "
        f"{duration(policy.settlement.provisional_for)}",
    ]


def render(policy: Policy) -> str:
    """The whole runbook of one version, as Markdown. The same policy gives the same text."""
    sections = (
        _head(policy), _order(policy), _division(), _meters(policy), _pools(policy),
        _drivers(policy), _cluster(policy), _join(policy), _late(policy), _tolerances(policy),
        _owners(policy), _issuers(policy),
    )  # fmt: skip
    return "\n\n".join(text for text in sections if text) + "\n"


def _head(policy: Policy) -> str:
    lines = [
        f"# {_plain(policy.policy)}, version {policy.version}",
        "",
        f"In force from charge day **{policy.effective_from}**"
        + (f", published by {_plain(policy.published_by)}" if policy.published_by else "")
        + f". Digest `{policy.digest[:SHORT_DIGEST]}`.",
    ]
    if policy.decided_in:
        lines += ["", f"Decided in {_plain(policy.decided_in)}."]
    if policy.note:
        lines += ["", f"> {_plain(policy.note)}"]
    lines += [
        "",
        f"Chargeback sums `{policy.settlement.metric}`. Both `billed_cost` and `effective_cost` "
        "are divided, each on its own, by the same weights; they are never added.",
    ]
    return "\n".join(lines)


def _order(policy: Policy) -> str:
    steps = list(words.ORDER)
    if any(pool.tagged == "first" for pool in policy.pools):
        steps.append(words.TAGGED_FIRST)
    return "## Order\n\n" + "\n".join(f"{n}. {text}" for n, text in enumerate(steps, start=1))


def _division() -> str:
    rows = [(kind, text, worked) for kind, text, worked in words.formulas()]
    return (
        "## How an amount becomes parts\n\n"
        "Charges that one body of evidence explains are a slice. All charges of a slice, whatever "
        f"their sign, are divided by the same weights: {words.PART}.\n\n"
        + table(("kind", "formula", "worked"), rows)
    )


def _meters(policy: Policy) -> str:
    if not policy.meters:
        return "## Meters\n\nNone: no charge is divided by tokens."
    rows = [_meter_row(place, meter) for place, meter in enumerate(policy.meters, start=1)]
    gap = words.EVIDENCE_GAP[policy.evidence_gap]
    return (
        "## Meters, first match wins\n\n"
        + table(("no.", "charges", "provider", "model", "token kind", "tokens per unit"), rows)
        + f"\n\n{gap} {words.DIRECTION[policy.join.direction]}"
    )


def _meter_row(place: int, meter: Meter) -> Sequence[str]:
    if isinstance(meter.model, str):
        model = code(meter.model)
    else:
        model = f"from {code(meter.model.from_)} by {code(meter.model.pattern)}"
    units = ", ".join(f"{code(unit)} = {number}" for unit, number in meter.tokens_per_unit.items())
    kind = code(meter.token_kind)
    return str(place), conditions(meter.match), code(meter.provider), model, kind, units


def _pools(policy: Policy) -> str:
    if not policy.pools:
        return "## Pools\n\nNone: what no meter takes is `unmatched_charge`."
    rows = [_pool_row(place, pool) for place, pool in enumerate(policy.pools, start=1)]
    return "## Pools, first match wins\n\n" + table(
        ("no.", "pool", "charges", "component", "driver", "and"), rows
    )


def _pool_row(place: int, pool: Pool) -> Sequence[str]:
    more = []
    if pool.surface:
        more.append(f"surface {code(pool.surface)}")
    if pool.split:
        more.append("split by OpenCost to pods and idle")
        more.append(_idle(pool))
        more.append(words.OVER_ALLOCATION[pool.over_allocation])
    if pool.fixed:
        more.append(", ".join(f"{code(name)} {share} %" for name, share in pool.fixed.items()))
    if pool.driver == "cost":
        more.append(words.WITHIN[pool.within])
    if pool.tagged == "first":
        more.append("a charge whose own tag names a tenant goes there first")
    component = "workload and idle" if pool.split else pool.component
    row = (code(pool.name), conditions(pool.match), component, code(pool.driver), "; ".join(more))
    return (str(place), *row)


def _idle(pool: Pool) -> str:
    if pool.idle is None or pool.idle.keep:
        return "idle stays visible: nobody pays it, it is unallocated as `no_driver`"
    return f"idle by {code(pool.idle.driver or '')} within the {pool.idle.within}"


def _drivers(policy: Policy) -> str:
    used = sorted(_asked(policy))
    if not used:
        return ""
    rows = [(_driver_in(driver, phase), *words.driver(driver, phase)) for driver, phase in used]
    return (
        "## Drivers in use\n\n"
        + table(("driver", "weight", "worked"), rows)
        + "\n\nA driver without quantities leaves its pool unallocated, `no_driver`."
    )


def _driver_in(driver: str, phase: str) -> str:
    return f"{code(driver)} of {words.PHASES[phase]}" if phase else code(driver)


def _asked(policy: Policy) -> dict[tuple[str, str], list[str]]:
    """(driver, phase) to the pools that ask it there; a driver that weighs alike everywhere has no phase."""
    asked: dict[tuple[str, str], list[str]] = {}
    for pool in policy.pools:
        told: list[tuple[str, str]] = [(pool.driver, pool.component)]
        if pool.idle and pool.idle.driver:
            told.append((pool.idle.driver, "idle"))
        for driver, phase in told:
            key = driver, phase if driver in words.BY_PHASE else ""
            names = asked.setdefault(key, [])
            if pool.name not in names:
                names.append(pool.name)
    return asked


def weighed(policy: Policy) -> list[str]:
    """A plain line for each driver that looks at other costs: what it weighs, and in which pools. What
    these are depends on the pool's phase, and not on its driver alone."""
    lines = []
    for (driver, phase), pools in sorted(_asked(policy).items()):
        if phase:
            what = "costs" if driver == "cost" else "tenants"
            lines.append(f"`{driver}` in {', '.join(pools)} ({phase}) weighs {what} of "
                         f"{words.BEFORE[phase]}")  # fmt: skip
    return lines


def _cluster(policy: Policy) -> str:
    parts = []
    if policy.nodes:
        rows = [(code(node.from_), code(node.pattern), code(node.to)) for node in policy.nodes]
        parts.append(
            "### Nodes: OpenCost's name to the bill's resource\n\n"
            + table(("OpenCost's", "takes", "equals the charge's"), rows)
        )
    if policy.serving:
        rows = [
            (
                code(rule.server_address or "*"), code(rule.model or "*"),
                code("/".join((rule.workload.namespace, rule.workload.controller or "*"))),
            )
            for rule in policy.serving
        ]  # fmt: skip
        parts.append(
            "### Serving: calls without a server span\n\n"
            + table(("server address", "model", "workload"), rows)
        )
    return "## Clusters\n\n" + "\n\n".join(parts) if parts else ""


def _join(policy: Policy) -> str:
    join = policy.join
    rows = [
        ("contract", code(join.contract)),
        ("window", f"one UTC {join.window}"),
        ("keys of a meter slice", _list(("provider", "model", "token kind", *join.route_keys))),
        ("identity, first that answers", _list(join.identity, " > ")),
        ("labels, first that answers", _list(join.label_precedence, " > ")),
        ("tenant label and tag", f"{code(join.tenant_label)}, {code(join.tenant_tag)}"),
        ("dedicated workloads", "; ".join(conditions(rule.model_dump(exclude_none=True))
                                          for rule in join.dedicated) or "none"),
        ("tenant aliases", ", ".join(f"{code(name)} is {code(tenant)}"
                                     for name, tenant in join.tenant_aliases.items()) or "none"),
        ("span attributes beyond `attribution.*`",
         "; ".join(f"{code(field)} from {_list(names)}"
                   for field, names in join.attributes.items()) or "none"),
    ]  # fmt: skip
    return "## Join contract\n\n" + table(("what", "is"), rows)


def _late(policy: Policy) -> str:
    settlement = policy.settlement
    return "\n\n".join((
        "## Late data",
        f"A day is provisional for {duration(settlement.provisional_for)} after it ends, and "
        "settled once its charges are closed after that. "
        + words.CLOSED_PERIOD[settlement.closed_period],
        words.REVISIONS,
        words.POLICY_CHANGE,
        words.LATE_UNDER_A_METER,
    ))  # fmt: skip


def _tolerances(policy: Policy) -> str:
    low, high = policy.tolerance.telemetry_coverage
    slo = policy.slo
    rows = [
        ("tie-out, in currency", str(policy.tolerance.tie_out)),
        ("replay variance", str(policy.tolerance.replay_variance)),
        (
            "telemetry coverage, tokens seen over billed; else `estimated`",
            f"{low} to {high}",
        ),
        ("breaches of an invariant", str(policy.tolerance.breaches)),
        ("rejected records of a day at most", str(policy.tolerance.rejected_records)),
        ("files that wait in the sources at most", str(policy.tolerance.awaiting_objects)),
        ("landed files that can't be read again at most", str(policy.tolerance.not_read_again)),
        ("findings of evidence gates at most", str(policy.tolerance.findings)),
        ("stale days at most", str(policy.tolerance.stale_days)),
        ("reservations over, or forecast to be, at most", str(policy.tolerance.reservations_over)),
        ("gateway counters off the ledger at most", percent(policy.tolerance.reservation_drift)),
        ("segmentation completeness at least", percent(slo.segmentation_completeness)),
        ("model and token evidence at least", percent(slo.model_token_evidence)),
        ("actor coverage at least", percent(slo.actor_coverage)),
        ("unallocated share at most", percent(slo.unallocated_share)),
        ("median time to grant an override under", duration(slo.override_median)),
        ("retry chains sampled", str(slo.retry_chain_sample)),
    ]
    return "## Tolerances and thresholds\n\n" + table(("what", "threshold"), rows)


def _owners(policy: Policy) -> str:
    if not policy.owners:
        return ""
    rows = [
        (code(owner.tenant), code(owner.workflow), _plain(owner.team or ""),
         _plain(owner.cost_center or ""))
        for owner in policy.owners
    ]  # fmt: skip
    return "## Owners, first match wins\n\n" + table(
        ("tenant", "workflow", "team", "cost center"), rows
    )


def _issuers(policy: Policy) -> str:
    if not policy.issuers:
        return ""
    rows = [(_list(i.services), _list(i.keys), _list(i.tenants)) for i in policy.issuers]
    return (
        "## Issuers\n\nThese services must sign the identity that they carry; without a verified "
        "signature their cost is `identity_unverified`.\n\n"
        + table(("services", "keys", "tenants"), rows)
    )


# -- Markdown ------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text from a file, literally, safe inside a table cell."""
    text = text.replace("|", "\\|")
    fence = "`" if "`" not in text else "``"
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def conditions(match: Mapping[str, str]) -> str:
    """Conditions of a rule, all of which must hold."""
    return " and ".join(code(f"{column} = {pattern}") for column, pattern in match.items())


def duration(value: timedelta) -> str:
    """In the largest unit that divides it."""
    seconds = int(value.total_seconds())
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            return _counted(seconds // size, unit)
    return _counted(seconds, "second")


def percent(share: Decimal) -> str:
    """A share as a percentage, without trailing zeros."""
    return f"{share.scaleb(2, EXACT).normalize(EXACT):f} %"


def _plain(text: str) -> str:
    """Text from a file as Markdown that shows it and does nothing else."""
    for letter in "\\`*_[]<>|#":
        text = text.replace(letter, f"\\{letter}")
    return text


def _list(names: Iterable[str], joint: str = ", ") -> str:
    return joint.join(code(name) for name in names)


def _count(items: Sequence[object], noun: str) -> str:
    return _counted(len(items), noun)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
