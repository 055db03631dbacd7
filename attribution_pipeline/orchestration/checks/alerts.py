"""Alerting questions: is the evidence behind the recorded day good enough to act on?

Belongs here: what is asked of coverage, rejects and what stands unallocated, with thresholds from
the policy. Does not: invariants (``conservation``), Dagster.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from attribution_pipeline.model.ledger import is_earlier
from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay
from attribution_pipeline.orchestration.ledger_figures import (
    COVERAGE_COLUMNS,
    UNALLOCATED_COLUMNS,
    main_component,
    of_earlier_days,
    unallocated_by_reason,
    unallocated_share,
)
from attribution_pipeline.orchestration.metadata import Metadata
from attribution_pipeline.orchestration.unmet_models import unmet_on
from attribution_pipeline.proof.lines_in_two_files import lines_in_two_files
from attribution_pipeline.views.reasons import remedy
from attribution_pipeline.views.unbilled_tokens import (
    REMEDY,
    models_named,
    models_of,
    without_billed_tokens,
)
from attribution_pipeline.views.unmet_models import line

FINDING_COLUMNS = ("check", "severity", "subject", "detail")

REPEATED_COLUMNS = (
    "source", "files", "billing_account_id", "lines", "billed_cost", "effective_cost",
    "billing_currency",
)  # fmt: skip

RESENT = {
    "replace": "A bill that is sent again overwrites its file, or goes whole into a later-named subfolder.",
    "append": "Under `delivery: append` every file adds to the others.",
}
"""What a source's ``delivery`` makes of a bill that is sent again (docs/decisions/0005)."""


def rejected_records(recorded: RecordedDay) -> Answer:
    """No record that touches the day was rejected at the door."""
    counts = recorded.house.landed.rejected_counts(recorded.day, recorded.day)
    rows: list[dict[str, Any]] = [
        {"kind": kind, "source": source, "reason": reason, "records": records}
        for (kind, source), reasons in counts.items()
        for reason, records in reasons.items()
    ]
    total = sum(row["records"] for row in rows)
    limit = recorded.policy.tolerance.rejected_records
    metadata: Metadata = {"rejected": total, "threshold": limit}
    if not total:
        return Answer(True, "No record that touches the day was rejected.", metadata)
    metadata["by_reason"] = shown.table(rows, ("kind", "source", "reason", "records"))
    first = rows[0]
    return Answer(
        total <= limit,
        f"{total:,} records were rejected, {first['records']:,} of {first['source']} as "
        f"`{first['reason']}`. `attribution rejected` lists each with its file, position and detail: "
        "mend the source, and land again. A file that is gone stays counted until a corrected one lies "
        "under its path (of a CSV the header alone is enough).",
        metadata,
    )


def billed_in_two_files(recorded: RecordedDay) -> Answer:
    """No line of the day's bill stands in two files of one account and billing period, alike in every
    column. Files that one manifest names are the vendor's own delivery, and are not compared."""
    with recorded.house.lake.staging(recorded.day) as scratch:
        compute = recorded.house.compute(scratch)
        found = lines_in_two_files(recorded.charges, recorded.house.landed, compute)
    limit = recorded.policy.tolerance.findings
    metadata: Metadata = {"lines": sum(one.lines for one in found), "threshold": limit}
    if not found:
        return Answer(True, "No line of the bill stands in two files.", metadata)
    rows = [asdict(one) | {"files": ", ".join(one.files)} for one in found]
    metadata["repeated"] = shown.table(rows, REPEATED_COLUMNS)
    first = found[0]
    lines = "1 line stands" if first.lines == 1 else f"{first.lines:,} lines stand"
    more = f"; and {len(found) - 1:,} such sets of files more" if len(found) > 1 else ""
    rule = RESENT[recorded.house.facts.delivery.get(first.source, "replace")]
    return Answer(
        len(found) <= limit,
        f"billing {first.source}: {lines} in {len(first.files)} files, {' and '.join(first.files)}, and "
        f"{shown.money(first.billed_cost)} {first.billing_currency} of the day's bill is probably "
        f"counted more than once{more}. {rule} To take one back, copy the right file over the wrong one, "
        "or write its header line alone, and run again: to delete it takes nothing back.",
        metadata,
    )


def telemetry_coverage(recorded: RecordedDay) -> Answer:
    """Tokens seen over tokens billed, per meter slice, within the policy's tolerance; and billed tokens are
    known of every slice that was seen."""
    low, high = recorded.policy.tolerance.telemetry_coverage
    slices: list[dict[str, Any]] = recorded.manifest["output"]["coverage"]
    outside = [row for row in slices if row["coverage"] is not None
               and not low <= Decimal(row["coverage"]) <= high]  # fmt: skip
    unbilled = without_billed_tokens(slices)
    metadata: Metadata = {
        "slices": len(slices),
        "outside": len(outside),
        "without_billed_tokens": len(unbilled),
        "tolerance": f"{low} to {high}",
        "coverage": shown.table([*outside, *unbilled] or slices, COVERAGE_COLUMNS),
    }
    unknown = (
        f"{len(unbilled)} of {len(slices)} slices are billed without tokens "
        f"({models_named(models_of(unbilled))}): all of their cost is on the calls that were seen, `estimated`, and "
        f"nothing says how many are missing. {REMEDY}."
        if unbilled
        else ""
    )
    if unbilled and not outside:
        return Answer(False, unknown, metadata)
    if not outside:
        return Answer(True, f"All {len(slices)} meter slices are within {low} to {high}.", metadata)
    worst = min(outside, key=lambda row: Decimal(row["coverage"]))
    names = ("provider", "model", "token_kind", "account", "region")
    called = " ".join(worst[name] for name in names if worst[name])
    apart = unmet_on(recorded.house, recorded.policy, recorded.day)
    if apart:
        metadata["named_apart"] = shown.markdown_list(map(line, apart))
    return Answer(
        False,
        f"{len(outside)} of {len(slices)} slices are outside {low} to {high}, lowest "
        f"{worst['coverage']} for {called}. "
        f"Their rows are `estimated`. {''.join(f'Of {line(one)}. ' for one in apart)}"
        "Find the emitters that do not report (compare billed with "
        f"seen by region and account), deliver their spans, and run the day again.{' ' if unknown else ''}"
        f"{unknown}",
        metadata,
    )


def unallocated_within_slo(recorded: RecordedDay) -> Answer:
    """What stands without a tenant is no more of the day's cost than ``slo.unallocated_share``. Charges
    from before the first recorded day, booked on it, are in neither."""
    limit = recorded.policy.slo.unallocated_share
    metric = recorded.policy.settlement.metric
    columns = ["component", *UNALLOCATED_COLUMNS]
    rows = recorded.house.lake.read("ledger", recorded.day, recorded.day, columns)
    found = unallocated_share(recorded.manifest["output"]["tie_out"], metric, rows)
    reasons = unallocated_by_reason(rows, metric)
    metadata: Metadata = {
        "unallocated_share": shown.percent(found),
        "threshold": shown.percent(limit),
        "by_reason": shown.table(reasons, ("reason", metric, "currency")),
    }
    apart = "".join(
        f" Beside it {shown.money(cost)} {currency} of charges from before the first recorded day is "
        "booked on it."
        for currency, cost in of_earlier_days(rows, metric).items()
    )
    if found is None or found <= limit:
        said = f"{shown.percent(found)} of {metric} is unallocated.{apart}"
        return Answer(True, said, metadata)
    worst = next(row for row in reasons if not is_earlier(row["reason"]))
    component = main_component(rows, worst["reason"], worst["currency"], metric)
    return Answer(
        False,
        f"{shown.percent(found)} of {metric} is unallocated, more than {shown.percent(limit)}; "
        f"most of it is `{worst['reason']}` ({shown.money(worst[metric])} {worst['currency']}). "
        f"{remedy(worst['reason'], component)}{apart}",
        metadata,
    )


def evidence_gates(recorded: RecordedDay) -> Answer:
    """What the gates of the day's planes noticed: duplicate nodes, pods without node, and alike."""
    found: list[dict[str, Any]] = recorded.manifest["output"]["findings"]
    names = sorted({finding["check"] for finding in found})
    limit = recorded.policy.tolerance.findings
    metadata: Metadata = {"findings": len(found), "threshold": limit}
    if not found:
        return Answer(True, "No gate noticed anything.", metadata)
    errors = sum(finding["severity"] == "error" for finding in found)
    metadata |= {"errors": errors, "noticed": shown.table(found, FINDING_COLUMNS)}
    first = found[0]
    return Answer(
        len(found) <= limit,
        f"{len(found)} findings ({', '.join(names)}), first {first['subject']}: "
        f"{first['detail']}. Mend the source, or the policy in a new version, and run the day again.",
        metadata,
    )
