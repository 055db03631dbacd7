"""What the company spends beside tokens and nodes: shared services, tagged storage, overhead.

Belongs here: daily amounts, usage reports and the causes behind them. Does not: token meters
(``token_charges``), nodes (``node_charges``).

Usage reports are the vendors' own metering: they survive every fault of our telemetry.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from attribution_pipeline.model.money import QUANTA_PER_UNIT
from attribution_pipeline.simulator.charges import (
    AWS_PLATFORM,
    Charge,
    Line,
    aws,
    day_line,
    focus_columns,
    key_of,
)
from attribution_pipeline.simulator.company import (
    INTERNAL,
    TAG_ALIAS,
    TENANTS,
    WHO_COUNT,
    WORKFLOWS,
    ZIPF_EXPONENT,
)
from attribution_pipeline.simulator.tally import DayTally
from attribution_pipeline.simulator.truth import Cause, apportion

MICRO = QUANTA_PER_UNIT // 10**6
"""Amounts here are whole micro-dollars, so that doubles carry them exactly."""

LANGFUSE_MONTHLY_PER_DAY = 85 * QUANTA_PER_UNIT
SPANS_INCLUDED_PRICE = 12 * MICRO
TAGGED_TENANTS = 12


@dataclass
class UsageReport:
    """Rows of one day's report: service, resource, metric, who (WHO_COUNT: nobody), quantity."""

    rows: list[tuple[str, str, str, int, int]] = field(default_factory=list)

    def add(self, service: str, resource: str, metric: str, quantities: np.ndarray) -> None:
        for who in np.flatnonzero(quantities):
            self.rows.append((service, resource, metric, int(who), int(quantities[who])))


def other_charges(
    rng: np.random.Generator, day: date, first_day: date, tally: DayTally, report: UsageReport
) -> Iterator[Charge]:
    """Charges of the day, ``report`` filled with the usage that drives the shared ones."""
    yield from _vectors(rng, day, report)
    yield from _egress(rng, day, report)
    yield from _observability(day, first_day, tally, report)
    yield from _storage(rng, day)
    yield from _overhead(rng, day)


def _shared(
    export: str, focus: dict[str, str], lines: list[Line], day: date, quantities: np.ndarray,
    billed: int | None = None,
) -> Charge:  # fmt: skip
    """A charge that a usage report divides. ``billed``: this day's part of its lines."""
    amount = sum(line.billed for line in lines) if billed is None else billed
    used = np.flatnonzero(quantities)
    parts = apportion(amount, quantities[used])
    causes = []
    for who, part in zip(used.tolist(), parts.tolist(), strict=True):
        if who == WHO_COUNT:
            causes.append(Cause(None, None, "usage", False, "identity_missing", part, part))
        else:
            tenant, workflow = divmod(who, len(WORKFLOWS))
            name = WORKFLOWS[workflow].name
            causes.append(Cause(TENANTS[tenant], name, "usage", True, None, part, part))
    quanta = Fraction(2 * len(used))
    return Charge(export, focus, {}, lines, key_of(focus, day), causes, (quanta, quanta))


def _usage(rng: np.random.Generator, workflows: tuple[str, ...], mean: int) -> np.ndarray:
    """Zipf-shaped quantities by who; the last entry is nobody's."""
    quantities = np.zeros(WHO_COUNT + 1, dtype=np.int64)
    names = [workflow.name for workflow in WORKFLOWS]
    for tenant in range(INTERNAL):
        for name in workflows:
            who = tenant * len(WORKFLOWS) + names.index(name)
            scale = mean / (tenant + 1) ** ZIPF_EXPONENT
            quantities[who] = int(rng.gamma(2.0, scale / 2))
    quantities[WHO_COUNT] = int(mean * 0.02)
    return quantities


_VECTOR_METERS = (
    ("read-units", "query_units", 16 * MICRO, 2_400_000,
     ("semantic-search", "doc-qa", "research-agent")),
    ("storage", "stored_mb", 11 * MICRO, 900_000, ("doc-import", "meeting-summary")),
)  # fmt: skip


def _vectors(rng: np.random.Generator, day: date, report: UsageReport) -> Iterator[Charge]:
    for meter, metric, price, mean, workflows in _VECTOR_METERS:
        quantities = _usage(rng, workflows, mean)
        report.add("Pinecone", "index-main", metric, quantities)
        total = int(quantities.sum())
        focus = focus_columns(
            issuer="Pinecone Systems", provider="Pinecone", account=("pc-acme", "Acme AI"),
            category="Usage", service="Pinecone", service_category="Databases",
            description=f"index-main {meter}", region="aws-eu-west-1", resource="index-main",
            sku=f"pinecone.{meter}", meter=meter, unit="Units",
        )  # fmt: skip
        lines = [day_line(day, total * price, total * price, Decimal(total))]
        yield _shared("saas", focus, lines, day, quantities)


def _egress(rng: np.random.Generator, day: date, report: UsageReport) -> Iterator[Charge]:
    quantities = _usage(rng, ("chat-assist", "doc-qa", "doc-import"), 350_000)
    report.add("AWS Data Transfer", "nat-0a1b2c3d4e5f60718", "bytes_moved_mb", quantities)
    total = int(quantities.sum())
    focus = aws("AWS Data Transfer", "Usage", "Networking", "data transfer out",
                resource="nat-0a1b2c3d4e5f60718", sku="dt.out", meter="DataTransfer-Out", unit="MB")  # fmt: skip
    lines = [day_line(day, total * 90 * MICRO, total * 90 * MICRO, Decimal(total))]
    yield _shared("aws", focus, lines, day, quantities)


def _observability(
    day: date, first_day: date, tally: DayTally, report: UsageReport
) -> Iterator[Charge]:
    """Spans ingested: a price per span, and a plan that is billed for the month in one line."""
    report.add("Langfuse Cloud", "acme-prod", "spans_ingested", tally.spans)
    total = int(tally.spans.sum())
    price = total * SPANS_INCLUDED_PRICE
    yield _shared("saas", langfuse("Usage-Based", "ingested units"),
                  [day_line(day, price, price, Decimal(total))], day, tally.spans)  # fmt: skip
    start, end, days = plan_period(day, first_day)
    lines = []
    if day == start:
        whole = LANGFUSE_MONTHLY_PER_DAY * days
        lines = [Line(_midnight(start), _midnight(end), whole, whole, Decimal(1))]
    charge = _shared("saas", langfuse("Recurring", "team plan"), lines, day, tally.spans,
                     LANGFUSE_MONTHLY_PER_DAY)  # fmt: skip
    charge.of_day = (LANGFUSE_MONTHLY_PER_DAY, LANGFUSE_MONTHLY_PER_DAY)
    yield charge


def langfuse(frequency: str, what: str) -> dict[str, str]:
    """Columns of the observability vendor's charges."""
    return focus_columns(
        issuer="Langfuse GmbH", provider="Langfuse", account=("lf-acme", "Acme AI"),
        category="Usage", service="Langfuse Cloud", service_category="Management and Governance",
        description=f"Langfuse Cloud, {what}", resource="acme-prod",
        sku=f"langfuse.{what.replace(' ', '-')}", meter=what, unit="Units",
        more={"ChargeFrequency": frequency},
    )  # fmt: skip


def plan_period(day: date, first_day: date) -> tuple[date, date, int]:
    """First day, end (exclusive) and days of the plan's charge that covers ``day``."""
    start = max(first_day, day.replace(day=1))
    end = day.replace(day=calendar.monthrange(day.year, day.month)[1]) + timedelta(days=1)
    return start, end, (end - start).days


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _storage(rng: np.random.Generator, day: date) -> Iterator[Charge]:
    """Buckets by tenant tag (one spelled by an alias), and one that nobody tagged."""
    buckets = "Amazon Simple Storage Service"
    for number in range(TAGGED_TENANTS):
        tenant = TENANTS[number]
        tag = TAG_ALIAS[0] if tenant == TAG_ALIAS[1] else tenant
        amount = int(rng.integers(800_000, 9_000_000)) * MICRO
        focus = aws(buckets, "Usage", "Storage", "standard storage", resource=f"acme-data-{tenant}",
                    sku="s3.standard", meter="TimedStorage", unit="GB-Hours")  # fmt: skip
        yield Charge(
            "aws", focus, {"tenant": tag}, [day_line(day, amount, amount)], key_of(focus, day),
            [Cause(tenant, None, "tag", True, None, amount, amount)],
        )  # fmt: skip
    for service, category, resource, what, most in (
        (buckets, "Storage", "acme-artifacts", "standard storage", 4_000_000),
        ("Amazon Route 53", "Networking", "hostedzone/Z0123456789", "hosted zones", 900_000),
    ):
        amount = int(rng.integers(300_000, most)) * MICRO
        focus = aws(service, "Usage", category, what, resource=resource, sku=f"sku.{what[:6]}")
        yield Charge(
            "aws", focus, {}, [day_line(day, amount, amount)], key_of(focus, day),
            [Cause(None, None, "none", False, "unmatched_charge", amount, amount)],
        )  # fmt: skip


def _overhead(rng: np.random.Generator, day: date) -> Iterator[Charge]:
    """The control planes, support, tax and a credit: nobody in particular causes them."""
    eks = 2 * 24 * QUANTA_PER_UNIT // 10
    for service, category, service_category, amount in (
        ("Amazon Elastic Kubernetes Service", "Usage", "Compute", eks),
        ("AWS Support", "Usage", "Other", int(rng.integers(90, 130)) * QUANTA_PER_UNIT),
        ("Tax", "Tax", "Other", int(rng.integers(300_000, 600_000)) * MICRO * 1000),
        ("Amazon Bedrock", "Credit", "AI and Machine Learning", -40 * QUANTA_PER_UNIT),
    ):
        focus = aws(
            service, category, service_category, f"{service} {category}".lower(), sub=AWS_PLATFORM,
            sku="" if category in ("Tax", "Credit") else f"sku.{service}",
        )  # fmt: skip
        yield Charge(
            "aws", focus, {}, [day_line(day, amount, amount)], key_of(focus, day),
            [Cause(None, None, "overhead", False, None, amount, amount)],
        )  # fmt: skip
