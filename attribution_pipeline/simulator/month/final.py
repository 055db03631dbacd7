"""The on-time world: the month in its final form, every object there at once.

Belongs here: its files. Does not: any lateness.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from attribution_pipeline.simulator.month import bills, company, policies, reports, spans
from attribution_pipeline.simulator.month.happenings import Month

BATCHES_PER_DAY = 2
"""How many objects an exporter writes a day."""


def deployment_files(month: Month, closed_period: str) -> dict[str, bytes]:
    """What is there before anything is delivered: the deployment file and the first policy."""
    first = policies.policy_text(month, 1, month.period, closed_period)
    return {
        "attribution.yaml": policies.deployment_text(month.days[0]).encode(),
        policies.policy_path(1): first.encode(),
    }


def on_time(month: Month, closed_period: str = "restate") -> dict[str, bytes]:
    """Path -> content."""
    files = deployment_files(month, closed_period)
    files[policies.policy_path(2)] = policies.second_version(month, closed_period)
    for (day, number), batch in batches(month).items():
        files[spans_path(day, number)] = spans.document(month, batch)
    for day in month.days:
        files |= dict(zip(reports.snapshot_paths(day), reports.snapshot(month, day), strict=True))
        files[reports.usage_path(day)] = reports.usage(r for r in month.used if r.day == day)
        files |= vectors(month, day)
    return files | tokens(month) | machines(month) | corrections(month) | closes(month)


def batches(month: Month) -> dict[tuple[date, int], list[spans.Span]]:
    """What an exporter sends at once, by day and number, in order of time."""
    found: dict[tuple[date, int], list[spans.Span]] = {}
    for span in spans.spans(month):
        at = datetime.fromtimestamp(span.end_ms / 1000, UTC)
        key = (at.date(), at.hour * BATCHES_PER_DAY // 24)
        found.setdefault(key, []).append(span)
    return found


def spans_path(day: date, number: int, what: str = "") -> str:
    """Where a batch lies; ``what`` tells late and repeated ones apart."""
    return f"spans/{day}/batch-{number}{what}.json"


def vectors(month: Month, day: date) -> dict[str, bytes]:
    """The day's file of the additive bill."""
    charges = [c for c in bills.charges_of(month, "vectors") if bills.day_of(c) == day]
    return {bills.path("vectors", month.period, day=day): bills.text(charges)}


def tokens(month: Month) -> dict[str, bytes]:
    """The last delivery of the token bill."""
    return {bills.path("tokens", month.period): bills.text(bills.charges_of(month, "tokens"))}


def machines(month: Month) -> dict[str, bytes]:
    """The machines' bill once it is invoiced: invoice ids on all lines close its period."""
    charges = bills.charges_of(month, "machines")
    invoiced = bills.text(charges, invoice=f"EUIN26-{month.period:%m}")
    return {bills.path("machines", month.period): invoiced}


def corrections(month: Month) -> dict[str, bytes]:
    """What the token vendor takes back of the closed month, in the next month's bill."""
    charges = bills.charges_of(month, "tokens", corrections=True)
    return {bills.path("tokens", month.next_period): bills.text(charges)} if charges else {}


CLOSED_AFTER = {"tokens": timedelta(days=2), "vectors": timedelta(days=5)}
"""How long after its end a period is closed by a record. The machines' closes by its invoice."""


def closed_at(month: Month, bill: str) -> datetime:
    """When the period's books are closed."""
    return datetime.combine(month.next_period, time(12), UTC) + CLOSED_AFTER[bill]


def closes(month: Month) -> dict[str, bytes]:
    """Both close records."""
    found: dict[str, bytes] = {}
    for bill in CLOSED_AFTER:
        found |= close(month, bill, closed_at(month, bill))
    return found


def close(
    month: Month, bill: str, at: datetime, status: str = "closed", what: str = ""
) -> dict[str, bytes]:
    """The close record of one bill, closed or opened ``at``; ``what`` tells later records apart."""
    issuer, account = {
        "tokens": (company.ISSUER, company.PAYER),
        "vectors": (company.VECTOR_ISSUER, company.VECTOR_ACCOUNT),
    }[bill]
    record = reports.close(issuer, account, month.period, at, status)
    return {f"closes/{bill}-{month.period:%Y-%m}{what}.csv": record}
