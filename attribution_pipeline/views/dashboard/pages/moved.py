"""Why spend moved: two periods, the parts of the change as a waterfall, and who moved most.

Belongs here: the page. Does not: the method (``views.explain``, docs/explain.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.model.money import to_decimal
from attribution_pipeline.views.dashboard import asked, falls
from attribution_pipeline.views.dashboard.place import day_of, month_before, month_end
from attribution_pipeline.views.dashboard.sheets import Column, in_currency, sheet
from attribution_pipeline.views.dashboard.view import NotThere, Page, View
from attribution_pipeline.views.explain import (
    GROUPS,
    PARTS,
    Explanation,
    Means,
    Period,
    explain,
    opened,
    read_period,
    ruled,
    under_one_rule,
)
from attribution_pipeline.views.explain.observed import observed
from attribution_pipeline.views.explain.periods import notes
from attribution_pipeline.views.explain.told import Scale, mostly, name_of_part, sentence

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DAYS = 7
"""Days of a period that a page compares: request rows of both are read. More is for the command."""

MOST_COMPUTED = 7
"""Days that a page computes under another version, each of which takes what a run of it takes: a week
that stands under the next version than the week before."""

KEY_BYTES = 4096
"""What an explanation takes of memory for each tenant's workflow on a model route: 2,700 measured."""

PERIODS = 2

BY = "by"

BOUNDS = ("from", "to", "against", "until")
"""Query keys of this period and of the one that it is held against."""

Days = tuple[date, date]
"""The first and the last day of a period."""


@dataclass(frozen=True)
class Explained:
    """A change in all its parts, whatever it is then grouped by. The periods are without their files."""

    found: Explanation
    then: Period
    this: Period

    @property
    def nbytes(self) -> int:
        """What keeping it takes, roughly."""
        return len(self.found.sums) * KEY_BYTES


def page(view: View) -> Page:
    """The newest day against one before, or the periods that the URL names."""
    periods = _periods(view)
    title = "Why it moved"
    if periods is None:
        return Page("moved.html", title, [], {"now": None})
    now, before = periods
    tenant = view.query.get("tenant") or None
    by = view.query.get(BY, "")
    if by not in GROUPS:
        by = "workflow" if tenant is not None else "tenant"
    metric = view.books.metric_of(*now)
    key = ("moved", view.books.version, now, before, tenant, by, metric, view.place.currency)
    context: dict[str, Any] = {
        "now": now, "before": before, "choices": _choices(view), "tenants": _tenants(view),
        "tenant": tenant or "", "groups": list(GROUPS), "by": by,
        "command_text": _command(view, now, before, tenant),
    }  # fmt: skip
    found = view.books.later(
        key, lambda: _explained(view, before, now, tenant, by, metric), view.left_s
    )
    sheets, more = found if found is not None else ([], {"told": None})
    context |= {
        "under_another": _under_another(view, now, before) if found is None else 0,
        "most_computed": MOST_COMPUTED,
    }
    return Page("moved.html", title, sheets, {**context, **more})


def _explanation(view: View, before: Days, now: Days, tenant: str | None, metric: str) -> Explained:
    """Worked out once for whatever it is then grouped by; days that are computed under another version
    once for whomever is asked about."""
    books = view.books

    def make() -> Explained:
        then, this = read_period(books.lake, *before), read_period(books.lake, *now)
        means = Means(
            books.lake, books.landed, books.deployment.key_ring, books.compute, MOST_COMPUTED,
            books.kept,
        )  # fmt: skip
        then, this = under_one_rule(means, then, this, Path(books.scratch))
        with opened(then, this, tenant, metric, books.compute()) as rows:
            found = explain(rows)
        bare = [replace(period, files={}, held=()) for period in (then, this)]
        return Explained(found, *bare)

    return books.kept(("explained", books.version, before, now, tenant, metric), make)


def _under_another(view: View, now: Days, before: Days) -> int:
    """Days that are computed, too, since they stand under another version than the last one before."""
    states = [
        [
            head
            for day in view.books.days()
            if first <= day <= last and (head := view.books.head(day))
        ]
        for first, last in (before, now)
    ]
    if not states[0]:
        return 0
    rule = states[0][-1].policy_version
    return len({one.day for period in states for one in period if one.policy_version != rule})


def _notes(then: Period, this: Period) -> list[str]:
    """What must be known of the periods; and what the command has beyond a page."""
    found = notes(then, this)
    if then.mixed and MOST_COMPUTED < len(ruled.under_another(then, this)) <= ruled.MOST_DAYS:
        found.append(
            f"a page computes up to {MOST_COMPUTED} days under another version, the command below "
            f"{ruled.MOST_DAYS}"
        )
    return found


def _explained(
    view: View, before: Days, now: Days, tenant: str | None, by: str, metric: str
) -> tuple[list[Any], dict[str, Any]]:
    currency = view.place.currency
    made = _explanation(view, before, now, tenant, metric)
    found, then, this = made.found, made.then, made.this
    total = found.total(currency)
    scale = Scale.of(max(abs(total.against), abs(total.now)))
    seen = observed(found, currency, scale.money, {*then.unbilled, *this.unbilled})
    _, _, rounded = scale.rounded(total)
    moved = sorted((p for p in PARTS if rounded[p]), key=lambda p: -abs(total.parts[p]))
    moves = [
        falls.Move(
            name_of_part(part), to_decimal(total.parts[part]),
            scale.spelled(rounded[part], signed=True), seen.get(part, ""),
        )
        for part in moved
    ]  # fmt: skip
    small = sum(bool(total.parts[part]) and not rounded[part] for part in PARTS)
    columns = GROUPS[by]
    table = _with_reasons(found, columns, scale, found.table(columns, metric))
    mine = in_currency(table, currency)
    groups = sheet(
        "groups", f"Who moved most, by {by}", mine,
        [
            *(Column(name) for name in columns), Column("against_cost", then.name, "money"),
            Column("cost", this.name, "money"), Column("change", "change", "signed"),
            Column("mostly", kind="said"),
        ],
        scale=to_decimal(max(abs(total.against), abs(total.now))),
    )  # fmt: skip
    return [groups], {
        "told": sentence(total, scale, currency, then, this, tenant=tenant, metric=metric),
        "notes": _notes(then, this),
        "fall": falls.waterfall(to_decimal(total.against), moves, to_decimal(total.now)),
        "small": small,
    }


def _with_reasons(
    found: Explanation, columns: Sequence[str], scale: Scale, table: pa.Table
) -> pa.Table:
    """Each group with its largest parts in words."""
    import pyarrow as pa

    said = [mostly(sums, scale) for sums in found.by(columns).values()]
    return table.append_column(pa.field("mostly", pa.string()), pa.array(said, pa.string()))


def _periods(view: View) -> tuple[Days, Days] | None:
    """This period and the one before it: from the URL, else the newest day against the same weekday
    before, or the day before. None where there is nothing to compare."""
    said = {name: day_of(view.query.get(name, "")) for name in BOUNDS}
    named = [day for day in said.values() if day is not None]
    if any(view.query.get(name) for name in BOUNDS):
        missing = [name for name, day in said.items() if day is None]
        if missing:
            raise NotThere(
                "a comparison needs the first and the last day of both periods",
                where=", ".join(missing), remedy="give all of " + ", ".join(BOUNDS),
            )  # fmt: skip
        now, before = (named[0], named[1]), (named[2], named[3])
        _require_comparable(now, before)
        return now, before
    days = [day for day in view.books.days() if day <= view.place.last]
    if len(days) < PERIODS:
        return None
    newest, week = days[-1], days[-1] - timedelta(days=7)
    other = week if week in days else days[-2]
    return (newest, newest), (other, other)


def _require_comparable(now: Days, before: Days) -> None:
    if now[0] > now[1] or before[0] > before[1]:
        raise NotThere(
            "a period ends before it begins", where="from, to, against, until",
            remedy="give the earlier day first",
        )  # fmt: skip
    if max(now[1] - now[0], before[1] - before[0]) >= timedelta(days=MOST_DAYS):
        raise NotThere(
            f"a page compares up to {MOST_DAYS} days with {MOST_DAYS}",
            where=f"{now[0]} to {now[1]} against {before[0]} to {before[1]}",
            remedy=f"attribution explain --from {now[0]} --to {now[1]} "
            f"--against {before[0]}..{before[1]}",
        )


def _choices(view: View) -> list[date]:
    """Days that may be chosen: of the month and the one before."""
    assert view.place.month is not None
    start = month_before(view.place.month)
    return [day for day in view.books.days() if start <= day <= month_end(view.place.month)]


def _tenants(view: View) -> list[str]:
    rows = asked.spend_by(view.books, view.place.on(None), ["tenant_id"]).to_pylist()
    return [row["tenant_id"] for row in rows if row["tenant_id"] is not None]


def _command(view: View, now: Days, before: Days, tenant: str | None) -> str:
    return view.books.shell.line(
        "explain", "--from", str(now[0]), "--to", str(now[1]),
        "--against", f"{before[0]}..{before[1]}", *(["--tenant", tenant] if tenant else []),
    )  # fmt: skip
