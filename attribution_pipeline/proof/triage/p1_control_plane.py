"""P1: the control plane can be trusted.

Belongs here: the hard-block list, shadow-mode hits, overrides. Does not: reading the records
(``sources.controls``).

Passes when the hard-block list holds irreversible mutations only, seven days of shadow-mode hits
exist, and overrides are logged, each with who granted it, their median under ``slo.override_median``.
A record that could not be read fails too: it may be the reversible entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from attribution_pipeline.proof.ratio import NO_EVIDENCE
from attribution_pipeline.proof.score.verdict import Rows, Verdict
from attribution_pipeline.proof.triage.asked import Asked, read

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

QUESTION, TITLE = "P1", "control plane"

SHADOW_DAYS = 7
"""Days with shadow-mode hits (design page 40, P1: seven days)."""
LOOKED_BACK = timedelta(days=28)
"""Hits and overrides count that are at most so old on the newest day: four weeks hold the seven days
and a month-end, and a log that ended long ago is no evidence of today's control plane."""

COLUMNS = {
    "kind": "varchar", "date": "date", "rule": "varchar", "operation": "varchar",
    "reversible": "boolean", "mode": "varchar", "policy_digest": "varchar",
    "observed_at": "timestamptz", "would_block": "boolean", "requested_at": "timestamptz",
    "granted_at": "timestamptz", "granted_by": "varchar",
}  # fmt: skip

REVERSIBLE, UNREADABLE, TOO_FEW, UNLOGGED, SLOW = (
    "reversible_mutation", "unreadable_records", "too_few_shadow_days", "override_not_logged",
    "override_slow",
)  # fmt: skip

DELIVER = "Deliver them under `sources.controls`"


def judge(asked: Asked) -> list[Verdict]:
    """Three verdicts: the list, shadow mode, overrides."""
    since = (asked.last - LOOKED_BACK).isoformat()
    with asked.session([]) as db:
        asked.open_landed(db, "controls", COLUMNS, days=False)
        return [
            _hard_blocks(asked, _rows(db, read("hard_blocks"))),
            _shadow(_rows(db, read("shadow_days", since=since)), since),
            _overrides(asked, _rows(db, read("overrides", since=since)), since),
        ]


def _rows(db: Session, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = db.table(query).to_pylist()
    return found


def _hard_blocks(asked: Asked, entries: Sequence[dict[str, Any]]) -> Verdict:
    bad = [entry for entry in entries if entry["reversible"]]
    rejected = sum(
        count
        for (kind, _), reasons in asked.landed.rejected_counts().items()
        if kind == "controls"
        for count in reasons.values()
    )
    reason, detail = "", f"all {len(entries)} entries of the hard-block list are irreversible"
    if bad:
        named = ", ".join(f"{entry['operation']} (rule {entry['rule']})" for entry in bad[:3])
        reason = REVERSIBLE
        detail = (
            f"the hard-block list holds reversible mutations: {named}. Take them off the list, and "
            "let shadow mode or an approval watch them."
        )
    elif rejected:
        reason = UNREADABLE
        detail = (
            f"{rejected:,} control records could not be read, and a reversible mutation may be among "
            "them. `attribution rejected` names each: mend the source, and land again."
        )
    elif not entries:
        reason = NO_EVIDENCE
        detail = f"{NO_EVIDENCE}: no hard-block list. {DELIVER}: rule, operation, reversible, mode."
    return _verdict(
        "hard-block list",
        f"{len(bad)} reversible of {len(entries)}",
        "0 reversible",
        reason,
        detail,
        read("hard_blocks"),
        Rows.of(bad or entries),
    )


def _shadow(days: Sequence[dict[str, Any]], since: str) -> Verdict:
    enough = len(days) >= SHADOW_DAYS
    detail = f"shadow mode logged hits on {len(days)} UTC days after {since}"
    if not days:
        detail = (
            f"{NO_EVIDENCE}: no shadow-mode hit after {since}. {DELIVER}: time, rule, would_block."
        )
    elif not enough:
        detail += (
            f", {SHADOW_DAYS} are needed. Leave the rules in shadow mode until a week is logged."
        )
    return _verdict(
        "shadow mode",
        f"{len(days)} days",
        f"{SHADOW_DAYS} days",
        "" if enough else TOO_FEW if days else NO_EVIDENCE,
        detail,
        read("shadow_days", since=since),
        Rows.of(days),
    )


def _overrides(asked: Asked, found: Sequence[dict[str, Any]], since: str) -> Verdict:
    limit = asked.policy.slo.override_median
    unlogged = [one for one in found if one["granted_at"] is not None and not one["granted_by"]]
    middle = median_us([one["took_us"] for one in found])
    said = "not granted" if middle is None else _seconds(middle)
    reason, detail = "", f"{len(found):,} overrides after {since}, median {said}"
    if not found:
        reason = NO_EVIDENCE
        detail = (
            f"{NO_EVIDENCE}: no override after {since}. {DELIVER}: requested_at, granted_at, rule, by; "
            "try the path once, so that it is known to work."
        )
    elif unlogged:
        reason = UNLOGGED
        detail = (
            f"{len(unlogged)} of {len(found)} overrides do not say who granted them, first of rule "
            f"{unlogged[0]['rule']}. Log `by` where an override is granted."
        )
    elif middle is None or middle >= _microseconds(limit):
        reason = SLOW
        detail += (
            f", not under {_seconds(Fraction(_microseconds(limit)))}. Shorten the way to a grant."
        )
    return _verdict(
        "overrides",
        "none" if not found else said,
        f"under slo.override_median {_seconds(Fraction(_microseconds(limit)))}",
        reason,
        detail,
        read("overrides", since=since),
        Rows.of(unlogged or found),
    )


def median_us(took: Sequence[int | None]) -> Fraction | None:
    """The median in microseconds; one that was not granted is slower than any that was. None where
    the middle is such a one, or there is nothing."""
    ordered = sorted((one is None, one or 0) for one in took)
    if not ordered:
        return None
    pair = (ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2])
    if any(is_open for is_open, _ in pair):
        return None
    return Fraction(sum(us for _, us in pair), 2)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _seconds(us: Fraction) -> str:
    """Seconds, cut to thousandths."""
    whole, rest = divmod(us.numerator // us.denominator // 1_000, 1_000)
    return f"{whole}.{rest:03d} s" if rest else f"{whole} s"


def _verdict(
    what: str, number: str, threshold: str, reason: str, detail: str, query: str, rows: Rows
) -> Verdict:
    return Verdict(
        QUESTION, f"{TITLE}, {what}", None, not reason,
        number=number, threshold=threshold, detail=detail, query=query, rows=rows, reason=reason,
    )  # fmt: skip
