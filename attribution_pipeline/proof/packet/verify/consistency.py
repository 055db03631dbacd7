"""One packet says one thing: its documents agree with each other, and calls with their spans.

Belongs here: what is told twice and must be equal. Does not: sums, divisions.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from .failure import RECOMPUTATION, Failed
from .pieces import BUCKETS
from .records import COSTS, Day, Packet, Record

COUNTED = (
    "rows", "revisions", "request_costs", "operations", "charges", "lines", "usage", "divisions",
    "spans", "envelopes",
)  # fmt: skip
DAY_MS = 86_400_000
NS_PER_MS = 1_000_000

OF_LINE = {
    "BillingCurrency": "billing_currency",
    "ChargeCategory": "charge_category",
    "ChargeClass": "charge_class",
}
"""What each line of a charge has in common with it."""

OF_SPAN = ("end_unix_nano", "start_unix_nano", "metered", *BUCKETS)
"""What an operation has from its span."""
OF_ANY_TWIN = ("response_id", "model")
"""What its span may leave unsaid and a twin says."""


def documents_agree(packet: Packet) -> int:
    """The statement, ``packet.json``, the days' documents and manifests, and counts; how many files
    of records were counted."""
    for name in ("tenant", "from", "to", "issued_at"):
        _require(packet.about[name], packet.statement[name], f"{name} of packet.json")
    days = [dict(day.about) for day in packet.days]
    _require(packet.about["days"], days, "the days of packet.json")
    _require([day["day"] for day in days], packet.statement["days"], "the days")
    first, last = (date.fromisoformat(packet.about[name]) for name in ("from", "to"))
    left = (last - first).days + 1 - len(days)
    _require(packet.about["days_without_a_recorded_state"], left, "days without a state")
    for day in packet.days:
        _manifest(packet, day)
        for table in COUNTED:
            lines = packet.text(f"days/{day.day}/{table}.jsonl.gz").count(b"\n")
            _require(day.about["counts"][table], lines, f"{day.day}: the count of {table}")
        _rows(day)
        _lines(day)
    return len(COUNTED) * len(days)


def _manifest(packet: Packet, day: Day) -> None:
    manifest = packet.document(f"days/{day.day}/manifest.json")
    about, policy = day.about, day.about["policy"]
    said = {
        "charge_date": day.day,
        "state": about["state"],
        "recorded_at": about["recorded_at"],
        "kernel": about["kernel"],
        "previous": about["manifest"]["previous"],
    }
    for name, value in said.items():
        _require(manifest[name], value, f"{day.day}: {name} of the manifest")
    for name in ("policy", "version", "digest"):
        _require(manifest["policy"][name], policy[name], f"{day.day}: {name} of the policy")
    _require(
        manifest["policy"]["file"]["sha256"], policy["sha256"], f"{day.day}: the policy's file"
    )
    for name in ("policy", "version"):
        _require(day.policy[name], policy[name], f"{day.day}: {name} in the policy's document")
    metric = day.policy.get("settlement", {}).get("metric", COSTS[1])
    _require(policy["metric"], metric, f"{day.day}: the settlement metric")


def _rows(day: Day) -> None:
    """A row that stands is of the day's policy and kernel; one that lost its support, or is held,
    keeps those under which it moved last."""
    policy = day.about["policy"]
    charges = {row["attribution_id"]: row["charge_id"] for row in day.rows}
    for row in day.rows:
        where = f"{day.day}: row {row['attribution_id']}"
        is_zero = not any(row[cost].strip("-0.") for cost in COSTS)
        if not is_zero and row["charge_id"] not in day.about["held"]:
            for column, value in (("policy_id", policy["policy"]),
                                  ("policy_version", policy["version"]),
                                  ("policy_digest", policy["digest"]),
                                  ("kernel", day.about["kernel"])):  # fmt: skip
                _require(row[column], value, f"{where}: {column}")
        moments = [
            datetime.fromisoformat(row[name]) for name in ("first_recorded_at", "recorded_at")
        ]
        if not moments[0] <= moments[1] <= datetime.fromisoformat(day.about["recorded_at"]):
            raise Failed(RECOMPUTATION, f"{where}: it was recorded after its state")
    for cost in day.request_costs:
        _require(
            cost["charge_id"], charges[cost["attribution_id"]], f"{day.day}: a request's charge"
        )


def _lines(day: Day) -> None:
    for number, lines in day.lines_of_part.items():
        charge = day.parts[number]["charge"]
        for line in lines:
            _require(line["charge_id"], charge["charge_id"], f"{day.day}: a line's charge")
            for column, of_charge in OF_LINE.items():
                if not line.get("withheld"):
                    said = f"{day.day}: {column} of a line"
                    _require(line.get(column), charge.get(of_charge), said)


def calls(packet: Packet) -> tuple[int, int]:
    """Operations against the trace export: times, tokens, model; what is derived of their times. How
    many were found among the spans, how many were not."""
    found = missing = 0
    for day in packet.days:
        spans: dict[str, list[Record]] = {}
        for span in packet.lines(f"days/{day.day}/spans.jsonl.gz"):
            spans.setdefault(span["span_id"], []).append(span)
        for key, operation in day.operations.items():
            where = f"{day.day}: operation {key}"
            _times(day, operation, where)
            own = [
                span
                for span in spans.get(operation["span_id"], [])
                if span["trace_id"] == operation["trace_id"]
            ]
            twins = [
                span
                for span_id in operation.get("merged", "").split()
                for span in spans.get(span_id, [])
            ]
            if not own:
                missing += 1
            elif not any(_is_of(operation, span, [*own, *twins]) for span in own):
                raise Failed(RECOMPUTATION, f"{where}: it is not what its span says")
            else:
                found += 1
    return found, missing


def _is_of(operation: Record, span: Record, everywhere: list[Record]) -> bool:
    return all((operation.get(name) or 0) == (span.get(name) or 0) for name in OF_SPAN) and all(
        operation.get(name) in (None, *(one.get(name) for one in everywhere))
        for name in OF_ANY_TWIN
    )


def _times(day: Day, operation: Record, where: str) -> None:
    begin = (date.fromisoformat(day.day) - date(1970, 1, 1)).days * DAY_MS
    active = min(operation["active_end_ms"], begin + DAY_MS) - max(
        operation["active_start_ms"], begin
    )
    _require(operation["active_ms"], max(active, 0), f"{where}: its active time")
    ended = operation["end_unix_nano"] // NS_PER_MS
    _require(operation["ends_today"], begin <= ended < begin + DAY_MS, f"{where}: its day")
    is_sampled = operation["counted"] != operation["of_sampled"]
    _require(operation["estimated"], is_sampled, f"{where}: whether it is sampled")


def _require(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise Failed(RECOMPUTATION, f"{what}: {found!r} in one place, {expected!r} in another")
