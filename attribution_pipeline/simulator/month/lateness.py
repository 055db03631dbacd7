"""What of a month reaches us late, twice, wrong first, corrected after it was closed.

Belongs here: a month's deliveries. Does not: what the month is (``happenings``), its final form
(``final``), the rules of order (``deliveries``), the order of a seed (``steps``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from attribution_pipeline.simulator.charges import Charge
from attribution_pipeline.simulator.month import bills, final, policies, reports, spans
from attribution_pipeline.simulator.month.deliveries import Delivery
from attribution_pipeline.simulator.month.happenings import Month, one_in_three

MAX_LATE_HOURS = 72
LATE_BATCH_SHARE, LATE_SPAN_SHARE, REPLAYED_SHARE = 0.08, 0.02, 0.12
AFTER_CLOSE_SHARE = 0.4
"""Of corrected snapshots, late reports and last token bills: those that come when the books are
closed."""
DRAFTS = (0.4, 0.7, 1.0)
"""Which part of the kept days an unfinished bill covers. Then one more, and the final one."""
OUTSIDE = 120
"""Percent of its final amount that a charge has in between: it goes 100, 120, 100."""
REOPENED_SHARE = 0.3
"""Token bills whose closed period is opened again, and closed again days later."""


def books_closed(month: Month) -> datetime:
    """When every period is closed and every day of it settled, in a world that runs forward."""
    return final.closed_at(month, "vectors") + timedelta(days=1)


def midnight(day: date, hours: int = 0) -> datetime:
    """The day's first instant, or some hours later."""
    return datetime.combine(day, time(hours), UTC)


def deliveries(
    month: Month, dice: random.Random, order: str, closed_period: str
) -> Iterator[Delivery]:
    """Every delivery of a schedule, in no order."""
    yield from _span_deliveries(month, dice)
    yield from _snapshots(month, dice)
    yield from _usage_reports(month, dice)
    yield from _vector_bill(month, dice)
    yield from _drafts(month, dice, "tokens")
    yield from _drafts(month, dice, "machines")
    published = midnight(dice.choice([d for d in month.days if d > month.changed_from]), 9)
    yield Delivery(
        "policy version 2", "policy", published,
        {policies.policy_path(2): policies.second_version(month, closed_period)},
    )  # fmt: skip
    yield from _endings(month, dice, in_order=order == "forward")


POLICY_FIRST = frozenset({"policy version 2"})


def _span_deliveries(month: Month, dice: random.Random) -> Iterator[Delivery]:
    for (day, number), batch in final.batches(month).items():
        sent = datetime.fromtimestamp(batch[-1].end_ms / 1000, UTC) + timedelta(minutes=3)
        kept = []
        for span in batch:
            if dice.random() < LATE_SPAN_SHARE:
                ended = datetime.fromtimestamp(span.end_ms / 1000, UTC)
                yield _spans(month, "late_span", day, number, [span], _late(dice, ended),
                             f"-late-{span.id[0]}-{span.emitter}")  # fmt: skip
            else:
                kept.append(span)
        if kept and dice.random() < LATE_BATCH_SHARE:
            yield _spans(month, "late_spans", day, number, kept, _late(dice, sent))
        elif kept:
            yield _spans(month, "spans", day, number, kept, sent)
        if kept and dice.random() < REPLAYED_SHARE:
            yield _replay(month, dice, day, number, kept, sent)


def _late(dice: random.Random, sent: datetime) -> datetime:
    return sent + timedelta(minutes=dice.randint(60, MAX_LATE_HOURS * 60))


def _spans(
    month: Month, kind: str, day: date, number: int, chosen: list[spans.Span], at: datetime,
    what: str = "",
) -> Delivery:  # fmt: skip
    return Delivery(
        f"{kind} {day} batch {number}{what}", kind, at,
        {final.spans_path(day, number, what): spans.document(month, chosen)},
    )  # fmt: skip


def _replay(
    month: Month, dice: random.Random, day: date, number: int, kept: list[spans.Span], sent: datetime
) -> Delivery:  # fmt: skip
    """An exporter sends again: the same object elsewhere, the same path anew, or spans regrouped."""
    way = dice.choice(("object", "path", "regrouped"))
    what = "" if way == "path" else f"-again-{way}"
    chosen = kept
    if way == "regrouped":
        chosen = dice.sample(kept, dice.randint(1, len(kept)))
    delivery = _spans(month, "replayed_spans", day, number, chosen, _late(dice, sent), what)
    return delivery


def _snapshots(month: Month, dice: random.Random) -> Iterator[Delivery]:
    wrong = one_in_three(dice, month.books)
    for day in month.days:
        at, right = midnight(day + timedelta(days=1), 1), reports.snapshot(month, day)
        if day not in wrong:
            yield _snapshot("opencost", day, at, right)
            continue
        yield _snapshot("opencost", day, at, reports.snapshot(month, day, dice))
        later = _later(month, dice, at)
        yield _snapshot("corrected_opencost", day, later, right, own_path=dice.random() < 0.5)


def _later(month: Month, dice: random.Random, at: datetime) -> datetime:
    """Hours or days after ``at``, or when the books are closed."""
    if dice.random() < AFTER_CLOSE_SHARE:
        return books_closed(month) + timedelta(hours=dice.randint(1, 72))
    return at + timedelta(hours=dice.randint(3, 200))


def _snapshot(
    kind: str, day: date, at: datetime, content: tuple[bytes, bytes], own_path: bool = False
) -> Delivery:
    writes = dict(zip(reports.snapshot_paths(day, own_path), content, strict=True))
    after = frozenset({f"opencost {day}"}) if kind == "corrected_opencost" else frozenset()
    return Delivery(f"{kind} {day}", kind, at, writes, after)


def _usage_reports(month: Month, dice: random.Random) -> Iterator[Delivery]:
    late = one_in_three(dice, month.books)
    wrong = one_in_three(dice, [day for day in month.books if day not in late])
    for day in month.days:
        at = midnight(day + timedelta(days=1), 2)
        rows = [row for row in month.used if row.day == day]
        path, right = reports.usage_path(day), reports.usage(rows)
        if day in late:
            yield Delivery(
                f"usage {day} late", "late_usage", _later(month, dice, at), {path: right}
            )
        elif day in wrong:
            first = f"usage {day} first"
            yield Delivery(first, "usage", at, {path: reports.usage(rows[1:])})
            yield Delivery(
                f"usage {day} corrected", "corrected_usage", _later(month, dice, at),
                {path: right}, frozenset({first}),
            )  # fmt: skip
        else:
            yield Delivery(f"usage {day}", "usage", at, {path: right})


def _vector_bill(month: Month, dice: random.Random) -> Iterator[Delivery]:
    wrong = one_in_three(dice, month.books)
    for day in month.days:
        at = midnight(day + timedelta(days=1), 3)
        path = bills.path("vectors", month.period, day=day)
        right = final.vectors(month, day)
        if day not in wrong:
            yield Delivery(f"vectors {day}", "bill", at, right)
            continue
        (charge,) = (c for c in bills.charges_of(month, "vectors") if bills.day_of(c) == day)
        first = f"vectors {day} first"
        yield Delivery(first, "bill", at, {path: bills.text([bills.scaled(charge, 70)])})
        yield Delivery(
            f"vectors {day} restated", "restated_bill", at + timedelta(hours=dice.randint(20, 300)),
            right, frozenset({first}),
        )  # fmt: skip


def _draft_days(month: Month) -> list[date]:
    """The newest day in each unfinished delivery of a bill."""
    kept = [month.books[int(len(month.books) * part) - 1] for part in DRAFTS]
    return sorted({*kept, month.days[-1]})


def _drafts(month: Month, dice: random.Random, bill: str) -> Iterator[Delivery]:
    """Unfinished deliveries of the open month. One charge goes 100, 120, 100; one is a mistake."""
    charges = bills.charges_of(month, bill)
    draft_days = _draft_days(month)
    early = [c for c in charges if month.books[0] <= bills.day_of(c) <= draft_days[0]]
    swings, mistaken = dice.sample(early, 2)
    names = []
    for run, day in enumerate(draft_days, start=1):
        guess = bills.wrong_now_and_then(dice)

        def change(
            charge: Charge, run: int = run, guess: bills.Change = guess
        ) -> Charge | None:  # fmt: skip
            if charge is swings:
                return bills.scaled(charge, OUTSIDE) if run == 2 else charge
            return guess(charge)

        found = bills.draft(charges, day, change)
        if run == 1:
            found.append(bills.doomed(mistaken))
        names.append(f"{bill} draft {run}")
        yield Delivery(
            names[-1], "bill" if run == 1 else "restated_bill", midnight(day + timedelta(days=1), 6),
            {bills.path(bill, month.period, run=run): bills.text(found)},
        )  # fmt: skip
    # in folders of their own drafts may come at any time; of one path the final content is the last
    after = frozenset(names) if bill == "machines" else frozenset()
    invoiced = POLICY_FIRST if bill == "machines" else frozenset()
    right = final.tokens(month) if bill == "tokens" else final.machines(month)
    at = midnight(month.next_period, 6) + timedelta(days=1)
    if bill == "tokens" and dice.random() < AFTER_CLOSE_SHARE:
        at = books_closed(month) + timedelta(hours=6)  # the vendor itself moves closed amounts
    yield Delivery(f"{bill} final", "restated_bill", at, right, after | invoiced)


def _endings(month: Month, dice: random.Random, in_order: bool) -> Iterator[Delivery]:
    for bill in final.CLOSED_AFTER:
        at = final.closed_at(month, bill)
        # books that were closed before the month began: a close may come at any time
        record = final.close(month, bill, at if in_order else midnight(month.days[0]))
        yield Delivery(f"close {bill}", "close", at, record, POLICY_FIRST)
    closed = "close tokens"
    if dice.random() < REOPENED_SHARE:
        yield from _reopening(month, final.closed_at(month, "tokens"))
        closed = "close tokens again"
    corrected = final.corrections(month)
    if corrected:
        at = final.closed_at(month, "tokens") + timedelta(days=5)
        yield Delivery("correction", "correction", at, corrected, frozenset({closed}))


def _reopening(month: Month, at: datetime) -> Iterator[Delivery]:
    """The period is open again for a while. Of its close records the newest ``closed_at`` speaks."""
    for number, (name, status, after) in enumerate(
        (("open tokens again", "open", "close tokens"),
         ("close tokens again", "closed", "open tokens again")),
        start=1,
    ):  # fmt: skip
        then = at + timedelta(days=2 * number)
        record = final.close(month, "tokens", then, status, f"-{number}")
        yield Delivery(name, "close", then, record, frozenset({after}))
