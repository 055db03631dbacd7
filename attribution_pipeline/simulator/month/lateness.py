"""How a month reaches us: late, twice, wrong first, corrected after it was closed.

Belongs here: a month's deliveries, and the order and the steps of a seed. Does not: what the month
is (``happenings``), its final form (``on_time``), the rules of order (``deliveries``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from attribution_pipeline.simulator.charges import Charge
from attribution_pipeline.simulator.month import bills, on_time, policies, reports, spans
from attribution_pipeline.simulator.month.deliveries import Delivery, Schedule, Step, ordered
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
STEPS = (5, 8)
"""Fewest and most steps of a schedule."""
RESTART_SHARE = 0.3
SPANS_APART_SHARE = 0.4
LAST_WORK = timedelta(days=14)
"""When the last step works, counted from the end of the month: everything that closes is settled."""

ORDERS = ("forward", "shuffled")
_EARLY = {"policy": 0.25, "close": 0.4}
"""In a shuffled order books close early as a rule, so that much comes afterwards."""


def schedule(
    month: Month, seed: int, *, order: str | None = None, closed_period: str = "restate"
) -> Schedule:
    """One order in which the month reaches us: the same for the same seed. ``order``: by seed."""
    dice = random.Random(f"{month.seed}:{seed}:schedule")
    chosen = order or dice.choice(ORDERS)
    found = list(deliveries(month, dice, chosen, closed_period))
    if chosen == "forward":
        found = ordered(found, lambda delivery: (delivery.at, delivery.name))
    else:
        luck = {d.name: dice.random() * _EARLY.get(d.kind, 1) for d in found}
        found = ordered(found, lambda delivery: luck[delivery.name])
    return Schedule(seed, chosen, closed_period, _steps(month, found, dice, chosen))


def _steps(
    month: Month, found: list[Delivery], dice: random.Random, order: str
) -> tuple[Step, ...]:
    count = dice.randint(*STEPS)
    early = 1
    if order == "forward":
        # before the first kept day is over there is nothing to do
        over = _at(month.books[0] + timedelta(days=1))
        early = max(1, sum(delivery.at <= over for delivery in found))
    cuts = {0, len(found), *dice.sample(range(early, len(found)), count - 1)}
    closing = sum(delivery.at <= books_closed(month) for delivery in found)
    if order == "forward":
        cuts.add(closing)  # work is done between the last close and what comes after it
    # out of order, half of the kept days are over from the first step on
    begins = month.books[len(month.books) // 2] if order == "shuffled" else month.days[0]
    first, last = _at(begins), all_over(month)
    steps, now = [], first
    for number, (begin, end) in enumerate(pairwise(sorted(cuts)), start=1):
        part = tuple(found[begin:end])
        if end == len(found):
            now = last
        elif order == "shuffled":
            now = first + (last - first) * number / count
        elif end == closing:
            now = books_closed(month)
        else:
            now = max(now, *(delivery.at for delivery in part))
        parts = _spans_apart(part) if dice.random() < SPANS_APART_SHARE else (part,)
        steps += [Step(now, one, restart=dice.random() < RESTART_SHARE) for one in parts]
    return tuple(steps)


def _spans_apart(part: tuple[Delivery, ...]) -> tuple[tuple[Delivery, ...], ...]:
    """The same deliveries, spans in a step of their own: nothing else moves days then."""
    late = tuple(delivery for delivery in part if "span" in delivery.kind)
    others = tuple(delivery for delivery in part if delivery not in late)
    return (others, late) if others and late else (part,)


def all_over(month: Month) -> datetime:
    """When the last step works: everything has come, and what is closed is settled."""
    return _at(month.next_period) + LAST_WORK


def books_closed(month: Month) -> datetime:
    """When every period is closed and every day of it settled, in a world that runs forward."""
    return on_time.closed_at(month, "vectors") + timedelta(days=1)


def _at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


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
    published = _at(dice.choice([d for d in month.days if d >= month.changed_from]), 9)
    yield Delivery(
        "policy version 2", "policy", published,
        {policies.policy_path(2): policies.second_version(month, closed_period)},
    )  # fmt: skip
    yield from _endings(month, in_order=order == "forward")


POLICY_FIRST = frozenset({"policy version 2"})


def _span_deliveries(month: Month, dice: random.Random) -> Iterator[Delivery]:
    for (day, number), batch in on_time.batches(month).items():
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
        {on_time.spans_path(day, number, what): spans.document(month, chosen)},
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
        at, right = _at(day + timedelta(days=1), 1), reports.snapshot(month, day)
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
        at = _at(day + timedelta(days=1), 2)
        rows = [row for row in month.used if row.day == day]
        path, final = reports.usage_path(day), reports.usage(rows)
        if day in late:
            yield Delivery(
                f"usage {day} late", "late_usage", _later(month, dice, at), {path: final}
            )
        elif day in wrong:
            first = f"usage {day} first"
            yield Delivery(first, "usage", at, {path: reports.usage(rows[1:])})
            yield Delivery(
                f"usage {day} corrected", "corrected_usage", _later(month, dice, at),
                {path: final}, frozenset({first}),
            )  # fmt: skip
        else:
            yield Delivery(f"usage {day}", "usage", at, {path: final})


def _vector_bill(month: Month, dice: random.Random) -> Iterator[Delivery]:
    wrong = one_in_three(dice, month.books)
    for day in month.days:
        at = _at(day + timedelta(days=1), 3)
        path = bills.path("vectors", month.period, day=day)
        final = on_time.final_vectors(month, day)
        if day not in wrong:
            yield Delivery(f"vectors {day}", "bill", at, final)
            continue
        (charge,) = (c for c in bills.charges_of(month, "vectors") if bills.day_of(c) == day)
        first = f"vectors {day} first"
        yield Delivery(first, "bill", at, {path: bills.text([bills.scaled(charge, 70)])})
        yield Delivery(
            f"vectors {day} restated", "restated_bill", at + timedelta(hours=dice.randint(20, 300)),
            final, frozenset({first}),
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
            names[-1], "bill" if run == 1 else "restated_bill", _at(day + timedelta(days=1), 6),
            {bills.path(bill, month.period, run=run): bills.text(found)},
        )  # fmt: skip
    # in folders of their own drafts may come at any time; of one path the final content is the last
    after = frozenset(names) if bill == "machines" else frozenset()
    invoiced = POLICY_FIRST if bill == "machines" else frozenset()
    final = on_time.final_tokens(month) if bill == "tokens" else on_time.final_machines(month)
    at = _at(month.next_period, 6) + timedelta(days=1)
    if bill == "tokens" and dice.random() < AFTER_CLOSE_SHARE:
        at = books_closed(month) + timedelta(hours=6)  # the vendor itself moves closed amounts
    yield Delivery(f"{bill} final", "restated_bill", at, final, after | invoiced)


def _endings(month: Month, in_order: bool) -> Iterator[Delivery]:
    for bill in on_time.CLOSED_AFTER:
        at = on_time.closed_at(month, bill)
        # books that were closed before the month began: a close may come at any time
        record = on_time.close(month, bill, at if in_order else _at(month.days[0]))
        yield Delivery(f"close {bill}", "close", at, record, POLICY_FIRST)
    corrected = on_time.corrections(month)
    if corrected:
        at = on_time.closed_at(month, "tokens") + timedelta(days=5)
        yield Delivery("correction", "correction", at, corrected, frozenset({"close tokens"}))
