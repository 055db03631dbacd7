"""Blocking questions: does the recorded day add up, row by row, to the bill?

Belongs here: what each invariant is called for people, its numbers and its remedy. Does not: the
queries (``attribution.invariants``), Dagster.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from attribution_pipeline.orchestration import metadata as shown
from attribution_pipeline.orchestration.checks.answers import Answer, RecordedDay
from attribution_pipeline.orchestration.ledger_figures import tie_out_lines, tie_out_rows
from attribution_pipeline.orchestration.metadata import Metadata

DEFECT = (
    "This is a defect of the engine or a changed file, never of the bill: keep the day's manifest, "
    "stop downstream use of this day, and run it again: attribution run --from {day} --to {day}"
)

COLUMNS = ("subject", "detail")


def conservation_per_charge(recorded: RecordedDay) -> Answer:
    """For every charge and each cost the rows sum to the charge (invariant 1)."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    lines = pq.read_table(recorded.charges, columns=["charge_id"])["charge_id"]
    answer = _none_of(recorded, ("charge",), "Every charge equals the sum of its rows, both costs.")
    numbers = {"charges": pc.count_distinct(lines).as_py(), "bill_lines": len(lines)}
    return Answer(answer.passed, answer.description, {**answer.metadata, **numbers})


def conservation_per_invoice(recorded: RecordedDay) -> Answer:
    """For every account and invoice the rows sum to the bill (invariant 1)."""
    import pyarrow.parquet as pq

    from attribution_pipeline.views.invoices import LINE_COLUMNS, ROW_COLUMNS, by_invoice, differs

    groups = by_invoice(
        pq.read_table(recorded.charges, columns=list(LINE_COLUMNS)),
        pq.read_table(recorded.files("ledger"), columns=list(ROW_COLUMNS)),
    )
    wrong = [group for group in groups if differs(group)]
    columns = (
        "account", "invoice", "currency", "charges", "billed_cost", "ledger_billed_cost",
        "effective_cost", "ledger_effective_cost",
    )  # fmt: skip
    answer = _none_of(
        recorded,
        ("account",),
        f"Invoices that equal their rows, both costs: {len(groups)} of {len(groups)}.",
    )
    metadata: Metadata = {**answer.metadata, "invoices": shown.table(wrong or groups, columns)}
    if len(wrong) > recorded.policy.tolerance.breaches:
        named = ", ".join(group["invoice"] for group in wrong[:3])
        remedy = DEFECT.format(day=recorded.day)
        return Answer(False, f"{len(wrong)} invoices differ from their rows: {named}. {remedy}",
                      metadata)  # fmt: skip
    return Answer(answer.passed, answer.description, metadata)


def conservation_per_day(recorded: RecordedDay) -> Answer:
    """For the day, per currency and cost, nothing is missing (invariant 1)."""
    rows = tie_out_rows(recorded.manifest["output"]["tie_out"])
    wrong = [row for row in rows if abs(row["difference"]) > recorded.policy.tolerance.tie_out]
    metadata = {
        "tie_out": shown.table(*tie_out_lines(recorded.manifest["output"]["tie_out"])),
        "tolerance": shown.money(recorded.policy.tolerance.tie_out),
    }
    if wrong:
        named = ", ".join(
            f"{row['cost']} {row['currency']} by {shown.money(row['difference'])}" for row in wrong
        )
        text = f"The day differs from the bill: {named}. {DEFECT.format(day=recorded.day)}"
        return Answer(False, text, metadata)
    total = sum((abs(row["difference"]) for row in rows), Decimal(0))
    return Answer(True, f"Billed and recorded differ by {shown.money(total)}.", metadata)


def tie_back_to_nodes(recorded: RecordedDay) -> Answer:
    """Workload and idle are the node's cost, signed, each cost (invariant 2)."""
    return _none_of(recorded, ("node",), "Workload and idle equal every node's charge, both costs.")


def request_level_sums(recorded: RecordedDay) -> Answer:
    """``operation_costs`` sums to its ledger rows (invariant 3)."""
    return _none_of(
        recorded, ("operation_costs",), "operation_costs add up to their ledger rows, both costs."
    )


def tenant_only_on_evidence(recorded: RecordedDay) -> Answer:
    """A row has a tenant or a reason why not, never both or neither; a call's rows have the tenant
    that the call has, and none where who was named is not believed (invariant 7)."""
    return _none_of(
        recorded, ("evidence",), "Every row names a tenant on evidence, or why it cannot."
    )


def one_row_per_attribution_id(recorded: RecordedDay) -> Answer:
    """An ``attribution_id`` stands once."""
    return _none_of(recorded, ("identity",), "Every attribution_id stands once.")


def one_policy_digest_per_version(recorded: RecordedDay) -> Answer:
    """Every recorded state under a policy version was computed under one content of it."""
    policy, version = recorded.manifest["policy"]["policy"], recorded.manifest["policy"]["version"]
    days: dict[str, list[str]] = {}
    for state in recorded.house.lake.states():
        if (state.policy, state.policy_version) == (policy, version):
            days.setdefault(state.policy_digest, []).append(state.day.isoformat())
    for published in recorded.house.policies.versions:
        if (published.policy, published.version) == (policy, version):
            days.setdefault(published.digest, []).append("published now")
    rows = [
        {"digest": digest, "days": len(set(found)), "first": min(found), "last": max(found)}
        for digest, found in sorted(days.items())
    ]
    metadata = {
        "policy": f"{policy} version {version}",
        "digests": shown.table(rows, ("digest", "days", "first", "last")),
    }
    if len(days) - 1 > recorded.policy.tolerance.breaches:
        return Answer(
            False,
            f"{len(days)} contents of {policy} version {version}: restore its file to the digest "
            f"that days were recorded under, and publish the change as a version of its own.",
            metadata,
        )
    return Answer(
        True, f"Every state under {policy} version {version} used one content of it.", metadata
    )


def recorded_files(recorded: RecordedDay) -> Answer:
    """Every file of the day has its recorded sha256, and Delta's logs name the same files."""
    found = recorded.house.lake.differences(recorded.day)
    named = [recorded.manifest["files"]]
    named += [plane["files"] for plane in recorded.manifest["inputs"].values()]
    files = sum(len(entries) for tables in named for entries in tables.values())
    metadata: Metadata = {"files": files, "differences": len(found)}
    if len(found) > recorded.policy.tolerance.breaches:
        metadata["differ"] = shown.markdown_list(found[: shown.MOST_ROWS])
        remedy = (
            "Restore the named files from a copy, or run the day again: "
            f"attribution run --from {recorded.day} --to {recorded.day}"
        )
        return Answer(False, f"{len(found)} differences: {found[0]}. {remedy}", metadata)
    return Answer(True, f"All {files} files are what the manifest says.", metadata)


def _none_of(recorded: RecordedDay, invariants: Sequence[str], good: str) -> Answer:
    found = [breach for breach in recorded.breaches if breach.check in invariants]
    rows = sum(file["rows"] for file in recorded.manifest["files"]["ledger"])
    metadata: Metadata = {"breaches": len(found), "ledger_rows": rows}
    if len(found) <= recorded.policy.tolerance.breaches:
        return Answer(True, good, metadata)
    metadata["breached"] = shown.table(
        [{"subject": breach.subject, "detail": breach.detail} for breach in found], COLUMNS
    )
    first = f"{found[0].subject}: {found[0].detail}"
    remedy = DEFECT.format(day=recorded.day)
    return Answer(False, f"{len(found)} breaches, first {first}. {remedy}", metadata)
