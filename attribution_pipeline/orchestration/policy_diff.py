"""What another policy would make of recorded evidence, computed beside the ledger.

Belongs here: days computed under two policies in scratch folders. Does not: how the two compare
(``views.policy_diff``), formulas (``attribution``). Nothing is committed: the lake is only read,
and evidence that had to be computed is kept as always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.planes import planes_for

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.attribution.day import Outcome, Plane
    from attribution_pipeline.attribution.rule_use import RuleUse
    from attribution_pipeline.attribution.unmet_models import Unmet
    from attribution_pipeline.model.policy import Policy, Published
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.views.policy_diff import DayChange, Difference

WITHOUT_BILL = "day_without_bill"
"""The engine's finding for a day on which no charge falls."""


@dataclass(frozen=True)
class Side:
    """One of the two policies, and what a person calls it."""

    policy: Policy
    called: str
    draft: Published | None = None
    """The file that it was read from, where it was named by file."""


def policy_diff(
    house: House,
    a: Side,
    b: Side,
    first: date,
    last: date,
    *,
    by: Sequence[str],
    metric: str,
    progress: Callable[[str], None] | None = None,
) -> Difference:
    """Every day of [first, last] under ``a`` and under ``b``, on the evidence that is landed.

    ``by``: columns of the ledger. ``progress`` is told a line a day. Raises Refusal naming the side
    where a policy cannot be used on a day.
    """
    from attribution_pipeline.views.policy_diff import Difference, columns_of

    columns = columns_of(by)
    difference = Difference(columns, metric)
    count = (last - first).days + 1
    for number in range(count):
        day = first + timedelta(days=number)
        found, under_b = _day(house, day, a, b, columns, metric)
        difference.days.append(found)
        difference.used_by_b |= under_b.used
        if under_b.has_bill:
            difference.unmet_by_b = under_b.unmet
        if progress is not None:
            said = f"{found.rows:,} rows move" if found.rows else "no change"
            progress(f"{day}  {number + 1} of {count}: {said}")
    return difference


@dataclass(frozen=True)
class _Computed:
    """A day under one side. ``rows``: its ledger, only what is compared; ``used``: rules that took
    something; ``unmet``: models that its charges and calls name apart."""

    rows: pa.Table
    has_bill: bool
    used: RuleUse
    unmet: list[Unmet]


def _day(
    house: House, day: date, a: Side, b: Side, columns: Sequence[str], metric: str
) -> tuple[DayChange, _Computed]:
    from attribution_pipeline.views.policy_diff import compare

    under_a = under_b = _computed(house, day, a, columns, metric)
    if a.policy.digest != b.policy.digest:
        under_b = _computed(house, day, b, columns, metric)
    found = compare(day, under_a.rows, under_b.rows, columns, metric)
    return replace(found, has_bill=under_a.has_bill), under_b


def _computed(
    house: House, day: date, side: Side, columns: Sequence[str], metric: str
) -> _Computed:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from attribution_pipeline.attribution.reconcile import reconcile
    from attribution_pipeline.views.ledger import CURRENCY

    needed = dict.fromkeys(["attribution_id", "tenant_id", *columns, CURRENCY, metric])
    stored = [name for name in needed if name != "charge_date"]  # the partition, not a column
    with _named(side, day), house.lake.staging(day) as out:
        planes = planes_for(house, day, side.policy, out / "planes")
        outcome = reconcile(
            planes,
            side.policy,
            day,
            policy_digest=side.policy.digest,
            recorded_at=house.now(),
            out=out,
            compute=house.compute(out),
        )
        rows = pa.concat_tables(
            pq.read_table(Path(path), columns=stored, partitioning=None)
            for path in outcome.files["ledger"]
        )
        used, unmet = _used(house, side.policy, planes, outcome, out)
    has_bill = all(finding.check != WITHOUT_BILL for finding in outcome.findings)
    return _Computed(rows, has_bill, used, unmet)


def _used(
    house: House, policy: Policy, planes: Mapping[str, Plane], outcome: Outcome, out: Path
) -> tuple[RuleUse, list[Unmet]]:
    """What the rules took, and the models that they read from the bill and no call has."""
    from attribution_pipeline.attribution.engine import session
    from attribution_pipeline.attribution.rule_use import rules_used
    from attribution_pipeline.attribution.unmet_models import unmet_models

    charges = planes["billing"].files["charges"]
    operations = planes["operations"].files["operations"]
    with session(house.compute(out)) as db:
        db.view("computed_rows", outcome.files["ledger"])
        used = rules_used(
            db,
            policy,
            charges=charges,
            cluster=planes["cluster"].files,
            operations=operations,
            owned=db.rows("select distinct tenant_id, workflow_id from computed_rows"),
        )
        return used, unmet_models(db, policy, charges=charges, operations=lambda: operations)


@contextmanager
def _named(side: Side, day: date) -> Iterator[None]:
    """A refusal of one side says which."""
    try:
        yield
    except Refusal as refusal:
        raise Refusal(
            f"{day} under {side.called}: {refusal.what}",
            where=refusal.where,
            remedy=refusal.remedy,
        ) from refusal
