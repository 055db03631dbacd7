"""The register beside what a day shows of it."""

from __future__ import annotations

from attribution_pipeline.attribution.opencost_gates.register import REGISTER
from attribution_pipeline.views.opencost_gates import gates, lines, register_table


def finding(check: str, severity: str = "warn", subject: str = "prod/node-1") -> dict[str, str]:
    return {"check": check, "severity": severity, "subject": subject, "detail": "so it is"}


def test_an_entry_shows_its_errors_first_and_counts_everything() -> None:
    said = [finding("unknown_instance_type"), finding("duplicate_node_identity", "error", "prod/b")]
    first = gates(said)[0]
    assert (first.passed, first.is_error, len(first.findings)) == (False, True, 2)
    (line,) = [line for line in lines(gates(said)) if line["result"] == "noticed"]
    assert (line["item"], line["found"], line["worst"]) == (1, 2, "prod/b: so it is")
    assert line["what_to_do"] == REGISTER[0].remedy


def test_a_finding_on_anything_but_opencost_is_no_entrys() -> None:
    assert all(gate.passed for gate in gates([finding("usage_without_charge")]))


def test_any_other_reason_of_a_rejected_row_is_still_an_entrys() -> None:
    (tripped,) = [gate for gate in gates([finding("rejected_null_cost")]) if not gate.passed]
    assert tripped.item.number == 3


def test_the_plain_table_has_a_row_for_every_entry() -> None:
    text = register_table(gates([])).splitlines()
    assert len(text) == 2 + len(REGISTER)
    assert "by design" in text[10]
