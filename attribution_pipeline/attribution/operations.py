"""The operation plane of a day: spans merged to billed calls, with who caused them.

Belongs here: duplicates, twins, the caller's and the server's pod, the policy's names for tenants.
Does not: what a span attribute means (``sources/otlp``), or what a call costs (``meters``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.cluster import load_landed
from attribution_pipeline.attribution.day import Compute, Finding, Landed, Plane
from attribution_pipeline.attribution.engine import (
    NULL,
    Session,
    day_session,
)
from attribution_pipeline.attribution.identity import (
    answers_itself,
    name_callers,
    told_who,
    view_calls,
)
from attribution_pipeline.attribution.late_classes import keep_classes
from attribution_pipeline.attribution.layout import by_time, files_for
from attribution_pipeline.attribution.set_digests import LANES, lanes_text
from attribution_pipeline.attribution.twins import (
    NOT_BILLED,
    OLLAMA_ID_LENGTH,
    REASONS,
    ROLL_UPS,
    join_twins,
)
from attribution_pipeline.attribution.verdicts import TOKENS, load_verdicts, unverified_calls
from attribution_pipeline.model.cutting import DAY_US, microseconds
from attribution_pipeline.model.ledger import WHO
from attribution_pipeline.model.tokens import BUCKETS, INPUT_BUCKETS, KINDS

if TYPE_CHECKING:
    from attribution_pipeline.envelope import KeyRing
    from attribution_pipeline.model.policy import Policy

LOOKBACK_DAYS = 1
"""Twins are looked for 24 h to both sides (design, "Operations and pods")."""

THRESHOLD_DIGITS = 14
"""tracestate ``ot=th``: up to 14 hex digits of a 56-bit threshold, trailing zeros left out."""

ZSTD_LEVEL = 1
"""Of evidence: two thirds of the time of DuckDB's level, and no larger (measured)."""

MERGED_ORDER = "trace_id, span_id, reason"
"""The order of ``merged``, total: its grain."""


def operation_plane(
    landed: Landed,
    day: date,
    policy: Policy,
    *,
    out: Path,
    compute: Compute,
    keys: KeyRing | None = None,
) -> Plane:
    """Table ``operations``. Grain: one billed call that ends on the day or is active on it.

    ``active_ms`` is clipped to the day; tokens belong to it where ``ends_today``. Weight of a
    sampled call: tokens x ``counted`` / ``of_sampled``.

    Table ``merged``. Grain: one span that tells of a call or of usage and is not counted, with its
    reason (``twins.REASONS``), on the day on which it would have been; see ``merged.sql``. It is
    outside the plane's digest: no cost hangs on it.

    Table ``tokens``. Grain: distinct envelope around the day, with the verdict on it under ``keys``
    (None: no key is known) and its claims where it was verified. Outside the digest too: what a
    verdict decides is in ``operations``.

    Table ``classes``. Grain: class of operations (``late_classes``). Table ``marks``. Grain: operation,
    in no order (``DuckDB.mark``). Both spare late work a look at all operations, and hold nothing that
    those do not say: a plane may lack them.
    """
    day_us = microseconds(day)
    with day_session(compute) as db:
        load_landed(db, landed, {"spans": "landed_spans"})
        findings = load_findings(db, day_us)
        find_operations(db, policy, day_us, keys)
        rows = int(db.one("select count(*) from billed"))
        files = files_for(rows)
        place = by_time(db, "billed", "end_unix_nano // 1000", files)
        paths = [out / f"operations-{number}.parquet" for number in range(files)]
        marks = out / "marks.parquet"
        digest = db.write_parts("billed", paths, part=place, order="operation_key", marks=marks)
        db.view("operations", [str(path) for path in paths])
        # what Spark computes is kept without: late work reads the operations themselves then
        classes = (
            keep_classes(db, policy, "operations", out / "classes.parquet")
            if compute.spark is None
            else []
        )
        removed = out / "merged.parquet"
        db.write(f"select * from merged order by {MERGED_ORDER}", removed, level=ZSTD_LEVEL)
        tokens = out / "tokens.parquet"
        sorted_tokens = f"select {', '.join(TOKENS)} from tokens order by envelope"
        db.write(sorted_tokens, tokens, level=ZSTD_LEVEL)
        return Plane(
            "operations",
            {
                "operations": [str(path) for path in paths],
                "merged": [str(removed)],
                "tokens": [str(tokens)],
                **({"classes": classes} if classes else {}),
                **({"marks": [str(marks)]} if marks.exists() else {}),
            },
            digest,
            {"operations": rows, **repeats(db), **merged_counts(db)},
            [*findings, *unverified_calls(db, "operations")],
        )


def load_findings(db: Session, day_us: int) -> list[Finding]:
    """What the gates say of ``landed_spans``; also ``thresholds``, which ``merge_calls`` reads."""
    return [*_load_thresholds(db), *_anomalies(db, day_us)]


def merge_calls(
    db: Session,
    policy: Policy,
    day_us: int,
    keys: KeyRing | None = None,
    *,
    verified: str = "",
) -> None:
    """``repeated`` and ``operations`` from ``landed_spans``: spans of one call stand or fall together,
    so any choice of spans that holds all of some calls gives these calls' operations."""
    find_operations(db, policy, day_us, keys, verified=verified)
    db.execute(
        "alter table billed rename to operations"
        if verified
        else "create table operations as select * from billed"
    )


def find_operations(
    db: Session,
    policy: Policy,
    day_us: int,
    keys: KeyRing | None = None,
    *,
    verified: str = "",
) -> None:
    """``repeated``, ``merged``, ``tokens`` and ``billed``, in the shape of ``operations``.

    What is known of single spans is copied once, into ``calls``. What takes several of them (twins,
    the ladder) is kept by row number for the few calls that need it, and joined at the end.
    """
    from_ns, to_ns = calls_window(day_us)
    who = ", ".join(said(column, policy) for column in WHO)
    named = [_attribute(name, "t.") for name in policy.join.attribute_names()]
    db.run("planes/spans", from_ns=from_ns, to_ns=to_ns)
    # to ask is worth it where planning takes longer than rows do
    if not verified or db.one("select count(*) from contested"):
        db.run(
            "planes/contested",
            content=", ".join(
                f"coalesce(cast(t.{column} as varchar), {NULL})" if column != "attributes" else NULL
                for column in _content()
            ),
            told=" + ".join(
                ["0", *(f"case when {one} is not null then 1 else 0 end" for one in named)]
            ),
            named=", ".join(["''", *(f"coalesce({one}, {NULL})" for one in named)]),
        )
    db.run(
        "planes/once",
        who=who,
        run=said("run_id", policy),
        # each pass that reads it plans it anew, unless its rows are few enough to be written down
        once="table" if verified else "view",
    )
    load_verdicts(db, policy, keys, verified=verified)
    db.run("planes/call_spans", buckets=", ".join(BUCKETS), who=who)
    view_calls(db, policy)
    db.run("planes/calls", ollama_length=str(OLLAMA_ID_LENGTH))
    join_twins(db)
    name_callers(db, policy)
    day = {"day_ms": str(day_us // 1000), "day_end_ms": str((day_us + DAY_US) // 1000)}
    db.run(
        "planes/operations",
        best_buckets=", ".join(f"b.{bucket}" for bucket in BUCKETS),
        named_who=told_who("b", "i", policy),
        speaks=answers_itself("b.", policy),
        relation="table" if verified else "view",
        **day,
    )
    db.run(
        "planes/merged",
        input=_sum("c.", INPUT_BUCKETS),
        output=_sum("c.", KINDS["output"]),
        roll_ups=_quoted(ROLL_UPS),
        not_billed=_quoted(NOT_BILLED),
        **day,
    )


def _sum(prefix: str, buckets: Sequence[str]) -> str:
    return " + ".join(f"coalesce({prefix}{bucket}, 0)" for bucket in buckets)


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _content() -> list[str]:
    """What two deliveries of one span may differ in: every landed column but where it came from."""
    from attribution_pipeline.model.evidence import ORIGIN, SPANS

    origin = {field.name for field in ORIGIN}
    return [name for name in SPANS.names if name not in origin]


def calls_window(day_us: int) -> tuple[str, str]:
    """Unix nanoseconds between which a span is looked at: it ends after the first, begins before
    the second."""
    around = LOOKBACK_DAYS * DAY_US
    return str((day_us - around) * 1000), str((day_us + DAY_US + around) * 1000)


def operations_digest(db: Session, table: str) -> str:
    """The set digest of rows in the shape of ``operations``."""
    if not db.one(f"select count(*) from {table}"):
        return lanes_text([0] * LANES)
    return db.set_digest(table, db.columns(table))


def merged_counts(db: Session, table: str = "merged") -> dict[str, int]:
    """How many spans were not counted: all of them, and by reason as ``merged.<reason>``."""
    by_reason = dict(db.rows(f"select reason, count(*) from {table} group by reason"))
    return {
        "merged": sum(by_reason.values()),
        **{f"merged.{reason}": by_reason.get(reason, 0) for reason in REASONS},
    }


def repeats(db: Session) -> dict[str, int]:
    """How many spans of calls came more than once, and how often too many."""
    ((spans, deliveries),) = db.rows(
        "select count(*), coalesce(sum(r.deliveries - 1), 0) from repeated r "
        "join calls c on c.trace_id = r.trace_id and c.span_id = r.span_id"
    )
    return {"repeated_spans": int(spans), "repeated_deliveries": int(deliveries)}


def said(column: str, policy: Policy) -> str:
    """The column, else the first of the policy's aliases for it that is present."""
    aliases = policy.join.attributes.get(column, [])
    if not aliases:
        return column
    return f"coalesce({column}, {', '.join(map(_attribute, aliases))}) as {column}"


def _attribute(name: str, prefix: str = "") -> str:
    """SQL: what a span says under a name of the policy's."""
    path = name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"json_extract_string({prefix}attributes, '$.\"{path}\"')"


def adjusted_count(threshold: str) -> tuple[int, int] | None:
    """How many calls a sampled span stands for, as a fraction; None where it is no threshold.

    OpenTelemetry, tracestate handling: 2**56 / (2**56 - T), T padded right to 14 hex digits.
    """
    if not 0 < len(threshold) <= THRESHOLD_DIGITS:
        return None
    try:
        rejected = int(threshold.ljust(THRESHOLD_DIGITS, "0"), 16)
    except ValueError:
        return None
    whole = 2**56
    divisor = gcd(whole, whole - rejected)
    return whole // divisor, (whole - rejected) // divisor


def _load_thresholds(db: Session) -> list[Finding]:
    import pyarrow as pa

    seen = [
        row[0]
        for row in db.rows(
            "select distinct sampling_threshold from landed_spans "
            "where sampling_threshold is not null and is_call order by 1"
        )
    ]
    counts = {threshold: adjusted_count(threshold) for threshold in seen}
    good = {threshold: count for threshold, count in counts.items() if count is not None}
    db.load(
        "thresholds",
        pa.table(
            {
                "sampling_threshold": pa.array(list(good), pa.string()),
                "counted": pa.array([count[0] for count in good.values()], pa.int64()),
                "of_sampled": pa.array([count[1] for count in good.values()], pa.int64()),
            }
        ),
    )
    return [
        Finding("sampling", "warn", threshold, "no sampling threshold: its spans count once")
        for threshold, count in counts.items()
        if count is None
    ]


def _anomalies(db: Session, day_us: int) -> list[Finding]:
    """Calls whose token counts were impossible: the reader dropped the counts, never the call."""
    return [
        Finding("usage_anomaly", "warn", anomaly, f"{calls} spans; their calls stand as unmetered")
        for anomaly, calls in db.rows(
            "select usage_anomaly, count(*) from landed_spans where is_call "
            "and usage_anomaly is not null and end_unix_nano >= ? and end_unix_nano < ? "
            "group by 1 order by 1",
            [day_us * 1000, (day_us + DAY_US) * 1000],
        )
    ]
