"""One version of a policy, whole: the join contract and every formula of the ledger.

Belongs here: the file's top level and its digest. Does not: which version is in force on a day
(``book``), how a policy reads in words (``model/policy_text``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from attribution_pipeline.model.policy.charges import Meter, NodeMapping, Pool, Serving
from attribution_pipeline.model.policy.join import Issuer, Join, Owner
from attribution_pipeline.model.policy.matching import matches
from attribution_pipeline.model.strict import (
    EXACT,
    Day,
    Duration,
    Name,
    Number,
    Strict,
    Text,
    refuse,
)

MAX_VERSION = 2**31 - 1
"""``policy_version`` of a ledger row is int32."""


class Settlement(Strict):
    """What chargeback sums, and when a day is final."""

    metric: Literal["billed_cost", "effective_cost"] = "effective_cost"
    """What chargeback sums, and what ``driver: cost`` weighs. Both are divided; ``billed_cost`` ties to the
    invoice either way."""
    provisional_for: Duration = timedelta(hours=72)
    """How long after a day's end late evidence is awaited. The day is settled once its charges are closed
    after that."""
    closed_period: Literal["restate", "hold"] = "restate"
    """The late-data rule of a closed period: the row is restated, with the delta on record; or the
    distribution stands, and late evidence is booked beside it as variance."""


def _range(bounds: Any) -> Any:
    if isinstance(bounds, list | tuple) and len(bounds) == 2:
        return tuple(bounds)
    raise refuse("is no range", "write two numbers: [0.98, 1.02]")


def _ordered(bounds: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    low, high = bounds
    if low < 0 or low > high:
        raise refuse(f"[{low}, {high}] is no range from low to high", "write [0.98, 1.02]")
    return bounds


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise refuse(f"{value} is negative", "write 0 or more")
    return value


def _share(value: Decimal) -> Decimal:
    if not 0 <= value <= 1:
        raise refuse(f"{value} is no share", "write a number from 0 to 1")
    return value


Amount = Annotated[Number, AfterValidator(_not_negative)]
Share = Annotated[Number, AfterValidator(_share)]


class Tolerance(Strict):
    """How far from exact a check may be. Amounts in the billing currency."""

    tie_out: Amount = Decimal(0)
    """How far the rows of a day may be from its bill. Leave it at 0: divisions are exact."""
    replay_variance: Amount = Decimal(0)
    """How far a day that is computed again may be from what was recorded."""
    telemetry_coverage: Annotated[
        tuple[Number, Number], BeforeValidator(_range), AfterValidator(_ordered)
    ] = (Decimal("0.98"), Decimal("1.02"))
    """Tokens seen over tokens billed; a slice outside it is ``estimated``."""
    breaches: Annotated[int, Field(ge=0, le=0)] = 0
    """Breaches of the ledger's invariants. Not up to a policy: it may write 0, and nothing else."""
    rejected_records: Annotated[int, Field(ge=0)] = 0
    """Records that touch a day and could not be read."""
    awaiting_objects: Annotated[int, Field(ge=0)] = 0
    """Files in the sources that landing left, although nobody has been writing them for a while."""
    not_read_again: Annotated[int, Field(ge=0)] = 0
    """Landed files of spans that stand without attributes that a version names, because they can't be read
    again: gone, unreadable, or of a source that the deployment file names no more."""
    findings: Annotated[int, Field(ge=0)] = 0
    """What the gates of a day's evidence may notice before their check fails."""
    stale_days: Annotated[int, Field(ge=0)] = 0
    """Recorded days that would come out otherwise today and wait for nothing."""
    reservations_over: Annotated[int, Field(ge=0)] = 0
    """Reservations that are over, are forecast to be, or are in a currency that nothing costs in."""
    reservation_drift: Share = Decimal("0.05")
    """How far a gateway's counter may be from the ledger, as a share of what the ledger says."""


class Slo(Strict):
    """Thresholds of score and triage."""

    segmentation_completeness: Share = Decimal("0.99")
    """Share of metered cost in rows with tenant and workflow, at least: each meter slice, and all together."""
    model_token_evidence: Share = Decimal("0.99")
    """Share on requests that name their model and say their tokens, at least."""
    actor_coverage: Share = Decimal("0.95")
    """Share that names principal and consumer, and not the same one twice, at least."""
    unallocated_share: Share = Decimal("0.05")
    """Share of a day's cost without a tenant, at most; over it an alert names the reason."""
    override_median: Duration = timedelta(minutes=5)
    """Median time to grant an override, under."""
    retry_chain_sample: Annotated[int, Field(ge=1)] = 100
    """Retry chains that ``attribution triage`` looks at."""


def _distinct_names(pools: list[Pool]) -> list[Pool]:
    seen: dict[str, int] = {}
    for index, pool in enumerate(pools):
        if pool.name in seen:
            raise refuse(
                f"pool name `{pool.name}` is used twice (pools {seen[pool.name] + 1} and "
                f"{index + 1})",
                "name pools apart: rows carry the name",
                at=(index, "name"),
            )
        seen[pool.name] = index
    return pools


class Policy(Strict):
    """One published version."""

    policy: Annotated[Name, Field(examples=["ai-chargeback"])]
    """The policy's name, the same in all its versions. Rows carry it."""
    version: Annotated[int, Field(ge=1, le=MAX_VERSION, examples=["1"])]
    """A change is a new file with another number."""
    effective_from: Annotated[Day, Field(examples=["2026-10-01"])]
    """The first charge day that it governs, until a version that takes effect later, or the same day
    under a higher number."""
    published_by: Text | None = None
    """Who published it, for people."""
    decided_in: Text | None = None
    """A link to the decision, for people; one that does not change."""
    note: Text | None = None
    """What changed and why, for people."""
    settlement: Settlement = Settlement()
    """What chargeback sums, and when a day is final."""
    join: Join = Join()
    """How operations, workloads and charges are known to belong together."""
    owners: list[Owner] = []
    """Team and cost center of rows."""
    issuers: list[Issuer] = []
    """Who must sign."""
    tolerance: Tolerance = Tolerance()
    """How far from exact a check may be."""
    slo: Slo = Slo()
    """Thresholds of the scorecard."""
    evidence_gap: Literal["keep_unallocated", "spread"] = "keep_unallocated"
    """Billed tokens that no call shows: a row of its own without a tenant (``telemetry_gap``), or spread over
    the calls that were seen, in rows marked ``estimated``."""
    meters: list[Meter] = []
    """Charges that are divided by tokens."""
    nodes: list[NodeMapping] = []
    """Which charge pays for which node of a cluster."""
    serving: list[Serving] = []
    """Which workload serves calls to a model server that emits no span."""
    pools: Annotated[list[Pool], AfterValidator(_distinct_names)] = []
    """Every other charge. What no pool takes shows as ``unmatched_charge``."""

    @cached_property
    def digest(self) -> str:
        """sha256 over what the file says: not over its layout, comments or order of keys."""
        return self.digest_as(self.version)

    def digest_as(self, version: int) -> str:
        """The digest that this content would have under another number."""
        said = canonical(self.model_dump(by_alias=True, exclude_unset=True))
        text = json.dumps(
            {**said, "version": version}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def tenant_alias(self, name: str) -> str:
        """The tenant that ``name`` stands for: itself where the policy has no alias."""
        return self.join.tenant_aliases.get(name, name)

    def meter_of(
        self, row: Mapping[str, str | None], tags: Mapping[str, str]
    ) -> tuple[int, Meter] | None:
        """The first meter that matches a charge, with its place in the file (from 0)."""
        for index, meter in enumerate(self.meters):
            if matches(meter.match, row, tags):
                return index, meter
        return None

    def pool_of(
        self, row: Mapping[str, str | None], tags: Mapping[str, str]
    ) -> tuple[int, Pool] | None:
        """The first pool that matches a charge, with its place in the file (from 0)."""
        for index, pool in enumerate(self.pools):
            if matches(pool.match, row, tags):
                return index, pool
        return None

    def owner_of(self, tenant: str | None, workflow: str | None) -> Owner | None:
        """Who owns a row: the first entry whose patterns hold; unknown matches only ``*``."""
        for owner in self.owners:
            if owner.matches(tenant, workflow):
                return owner
        return None

    def is_dedicated(
        self, *, cluster: str | None, namespace: str | None, controller: str | None,
        pod: str | None,
    ) -> bool:  # fmt: skip
        """Whether this workload's label may answer for its cost."""
        return any(
            rule.matches(cluster=cluster, namespace=namespace, controller=controller, pod=pod)
            for rule in self.join.dedicated
        )


def canonical(value: Any) -> Any:
    """A parsed value as JSON types, one spelling per meaning: what the digest is over."""
    match value:
        case bool() | int() | str() | None:
            return value
        case Decimal():
            sign, digits, exponent = value.normalize(EXACT).as_tuple()
            return f"{'-' if sign else ''}{''.join(map(str, digits))}e{exponent}"
        case dict():
            return {key: canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [canonical(item) for item in value]
        case _:
            return str(value)
