"""What happened in the small company's month, and what vendors finally charge for it.

Belongs here: the draws, from one seed; charges in their final form. Does not: how any of it is
written (``spans``, ``bills``, ``reports``), or when it reaches us (``lateness``).
"""

from __future__ import annotations

import calendar
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from attribution_pipeline.model.money import QUANTA_PER_UNIT
from attribution_pipeline.simulator.charges import Charge, Line, day_line, focus_columns, key_of
from attribution_pipeline.simulator.month import company
from attribution_pipeline.simulator.month.company import CLAUDE, LLAMA, MODELS, NOVA, TENANTS

FIRST_DAY = date(2026, 10, 1)
DAYS = 30
BOOK_DAYS = 6
"""Days whose books are kept, where not all are: a schedule of a month is then five times as fast."""

DAY_MS = 86_400_000
MIN_CALLS, MAX_CALLS = 6, 10
LOST_SHARE = 0.08
"""Calls none of whose spans ever reaches us: the bill knows of them, the telemetry does not."""
NAMELESS_SHARE = 0.06
GATEWAY_SHARE = 0.25
"""Calls that a gateway saw too: a twin with the same response id and no tenant."""
MIDNIGHT_SHARE = 0.05
UNDERBILLED_SHARE = 0.08
"""Meters of a day for which the vendor bills fewer tokens than it served: more is seen than billed."""
WHOLE_MONTH_TAX_EVERY = 4
"""Each so manyth month has its tax in one line for all of it: re-sent, it moves every day."""

TOKENS_PER_UNIT = 1000


@dataclass(frozen=True)
class Call:
    """One model call. Times in unix milliseconds; it belongs to the day on which it ends."""

    number: int
    start_ms: int
    end_ms: int
    tenant: int | None
    workflow: str
    model: int
    tokens: tuple[int, int]  # uncached input, output
    pod: int
    by_gateway: bool
    is_lost: bool

    @property
    def day(self) -> date:
        return datetime.fromtimestamp(self.end_ms / 1000, UTC).date()

    @property
    def is_served_here(self) -> bool:
        return self.model == LLAMA


@dataclass(frozen=True)
class Used:
    """One row of a vendor's usage report."""

    day: date
    tenant: int | None
    workflow: str
    quantity: int


@dataclass(frozen=True)
class Month:
    """One month in its final form."""

    seed: int
    days: tuple[date, ...]
    books: tuple[date, ...]
    """The days whose ledger is kept: all, or a few in a row. Evidence comes of all days."""
    calls: tuple[Call, ...]
    used: tuple[Used, ...]
    charges: tuple[Charge, ...]
    """``export`` names the bill: ``tokens``, ``machines`` or ``vectors``. Without truth."""

    @property
    def period(self) -> date:
        """First day of its billing period."""
        return self.days[0].replace(day=1)

    @property
    def next_period(self) -> date:
        """First day of the billing period that follows: corrections are billed there."""
        return (self.period.replace(day=28) + timedelta(days=4)).replace(day=1)

    @property
    def changed_from(self) -> date:
        """From when the second version of the policy is in force: a day amid the books."""
        margin = max(1, len(self.books) // 4)
        return self.dice("policy").choice(self.books[margin:-margin] or self.books)

    def dice(self, purpose: str) -> random.Random:
        """Random numbers of one purpose: no part of a month shifts another's draws."""
        return random.Random(f"{self.seed}:{purpose}")


def month(seed: int, books: int = BOOK_DAYS, days: int = DAYS) -> Month:
    """The month of a seed: the same on every machine. ``books``: how many days are kept."""
    dates = tuple(FIRST_DAY + timedelta(days=number) for number in range(days))
    calls = tuple(_calls(random.Random(f"{seed}:calls"), dates))
    dice = random.Random(f"{seed}:bill")
    used = tuple(row for day in dates for row in _used(dice, day))
    charges = [*_tokens(dice, dates, calls), *_machines(dice, dates, seed)]
    charges += [_vectors(day, [row for row in used if row.day == day]) for day in dates]
    first = random.Random(f"{seed}:books").randint(0, days - books)
    kept = dates[first : first + books]
    known = Month(seed, dates, kept, calls, used, tuple(charges))
    return replace(known, charges=(*charges, *_corrections(known)))


def _calls(dice: random.Random, days: tuple[date, ...]) -> list[Call]:
    found: list[Call] = []
    for day in days:
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        for _ in range(dice.randint(MIN_CALLS, MAX_CALLS)):
            model = dice.choice((CLAUDE, CLAUDE, NOVA, LLAMA))
            workflow = dice.choice(company.WORKFLOWS)
            tenant = dice.randrange(len(TENANTS))
            length = dice.randint(800, 90_000)
            end = midnight + dice.randrange(length, DAY_MS)
            if day != days[0] and dice.random() < MIDNIGHT_SHARE:
                end = midnight + dice.randrange(length)  # began before midnight
            pod = company.CALLER_OF[workflow]
            if tenant == company.DEDICATED and workflow == "chat":
                pod = company.OWN_POD
            found.append(
                Call(
                    len(found), end - length, end,
                    None if dice.random() < NAMELESS_SHARE else tenant, workflow, model,
                    (dice.randint(200, 90_000), dice.randint(10, 4000)), pod,
                    model != LLAMA and dice.random() < GATEWAY_SHARE,
                    dice.random() < LOST_SHARE,
                )
            )  # fmt: skip
    return found


def _tokens(
    dice: random.Random, days: tuple[date, ...], calls: tuple[Call, ...]
) -> list[Charge]:  # fmt: skip
    found: list[Charge] = []
    for day in days:
        for number, model in enumerate(MODELS):
            for kind, (name, price) in enumerate(model.prices):
                total = sum(c.tokens[kind] for c in calls if c.day == day and c.model == number)
                if dice.random() < UNDERBILLED_SHARE:
                    total = total * 4 // 5
                if not total:
                    continue
                meter = company.METER_NAMES[name].format(model.name)
                focus = focus_columns(
                    issuer=company.ISSUER, provider="AWS", account=(company.PAYER, "small payer"),
                    category="Usage", service="Amazon Bedrock",
                    service_category="AI and Machine Learning", description=meter,
                    region="eu-west-1", sku=f"sku.{meter}", meter=meter, unit="1000 Tokens",
                )  # fmt: skip
                quantity = Decimal(total) / TOKENS_PER_UNIT
                found.append(_charge("tokens", focus, day, total * price, quantity))
    return found


def _charge(
    bill: str, focus: dict[str, str], day: date, amount: int, quantity: Decimal | None = None,
    tags: dict[str, str] | None = None,
) -> Charge:  # fmt: skip
    effective = amount * company.EFFECTIVE_PERCENT // 100
    return Charge(
        bill,
        focus,
        tags or {},
        [day_line(day, amount, effective, quantity)],
        key_of(focus, day),
        [],
    )


def _aws(
    service: str, category: str, service_category: str, what: str, *, resource: str = "",
    sku: str = "", unit: str = "",
) -> dict[str, str]:  # fmt: skip
    return focus_columns(
        issuer=company.ISSUER, provider="AWS", account=(company.MACHINES_PAYER, "small machines"),
        category=category, service=service, service_category=service_category, description=what,
        region="eu-west-1", resource=resource, sku=sku, unit=unit,
    )  # fmt: skip


def _machines(dice: random.Random, days: tuple[date, ...], seed: int) -> list[Charge]:
    """Nodes, the control plane, support and tax."""
    found: list[Charge] = []
    for day in days:
        for instance, cost in zip(company.NODE_IDS, company.NODE_COST, strict=True):
            focus = _aws("Amazon Elastic Compute Cloud", "Usage", "Compute", "m7i.large",
                         resource=instance, sku="ec2.m7i.large", unit="Hours")  # fmt: skip
            tags = {"eks-cluster": company.CLUSTER}
            found.append(_charge("machines", focus, day, cost, tags=tags))
        support = _aws("AWS Support", "Usage", "Other", "support", sku="sku.support")
        amount = dice.randint(900, 1300) * QUANTA_PER_UNIT // 1000
        found.append(_charge("machines", support, day, amount))
    tax = _aws("Tax", "Tax", "Other", "VAT")
    if seed % WHOLE_MONTH_TAX_EVERY == 0:
        whole = _charge("machines", tax, days[0], len(days) * QUANTA_PER_UNIT // 7)
        length = calendar.monthrange(days[0].year, days[0].month)[1]
        line = whole.lines[0]
        whole.lines = [replace(line, end=line.start + timedelta(days=length))]
        return [*found, whole]
    return found + [_charge("machines", tax, day, QUANTA_PER_UNIT // 7) for day in days]


def _used(dice: random.Random, day: date) -> list[Used]:
    found = [
        Used(day, tenant, workflow, dice.randint(1, 900))
        for tenant in range(len(TENANTS))
        for workflow in company.WORKFLOWS[:2]
        if dice.random() < 0.5
    ]
    return [*found, Used(day, None, "", dice.randint(1, 40))]


def _vectors(day: date, used: list[Used]) -> Charge:
    total = sum(row.quantity for row in used)
    focus = focus_columns(
        issuer=company.VECTOR_ISSUER, provider="Pinecone",
        account=(company.VECTOR_ACCOUNT, "small"), category="Usage", service="Pinecone",
        service_category="Databases", description="read units", resource="index-small",
        sku="pinecone.read-units", meter="read-units", unit="Units",
    )  # fmt: skip
    return _charge("vectors", focus, day, total * 137 * company.MICRO // 10, Decimal(total))


def one_in_three(dice: random.Random, days: Sequence[date]) -> list[date]:
    """A day of each three: few of them, and some among any kept days."""
    return [dice.choice(days[first : first + 3]) for first in range(0, len(days), 3)]


def _corrections(month: Month) -> list[Charge]:
    """FOCUS: ``ChargeClass = Correction``, on the day that it corrects, in the next billing period."""
    found = []
    for day in one_in_three(month.dice("corrections"), month.books):
        billed = (c for c in month.charges if c.export == "tokens")
        wrong = next((c for c in billed if c.lines[0].start.date() == day), None)
        if wrong is None:
            continue  # a day on which nothing was billed
        line = wrong.lines[0]
        focus = wrong.focus | {"ChargeClass": "Correction", "ConsumedUnit": "", "PricingUnit": ""}
        back = Line(line.start, line.end, -(line.billed // 10), -(line.effective // 10))
        found.append(
            replace(
                wrong, focus=focus, lines=[back], key=key_of(focus, day),
                billing_period=month.next_period,
            )
        )  # fmt: skip
    return found
