"""Every check, the policy's field that is its threshold, and the test that trips it.

Belongs here: the registry. Does not: the checks (``orchestration.checks``), judging it
(``c5_thresholds``). A test fails where a check of the code location, a field or a test is missing
here or there, so a check without a named threshold can't be merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

_CHECKS = "orchestration/test_checks.py"
_COMPLETENESS = "orchestration/test_completeness.py"
_REPLAY = "orchestration/test_replay.py"
_RESERVATIONS = "orchestration/test_reservations.py"
_SCORE = "proof/test_score.py"
_TWICE = "orchestration/test_lines_in_two_files.py"
_TRIAGE = "proof/test_triage.py"


class Threshold(NamedTuple):
    """``field``: of the policy, by its keys. ``test``: under ``attribution_pipeline_tests``."""

    field: str
    test: str


THRESHOLDS: Mapping[str, Threshold] = {
    # blocking: invariants, which are not up to a policy
    "conservation_per_charge": Threshold(
        "tolerance.breaches", f"{_CHECKS}::test_a_quantum_too_much_trips_conservation"
    ),
    "conservation_per_invoice": Threshold(
        "tolerance.breaches", f"{_CHECKS}::test_a_quantum_too_much_trips_conservation"
    ),
    "conservation_per_day": Threshold(
        "tolerance.tie_out", f"{_CHECKS}::test_a_difference_in_the_tie_out_trips_the_day"
    ),
    "tie_back_to_nodes": Threshold(
        "tolerance.breaches", f"{_CHECKS}::test_a_node_that_does_not_add_up_trips_the_tie_back"
    ),
    "request_level_sums": Threshold(
        "tolerance.breaches", f"{_CHECKS}::test_a_lost_request_trips_the_request_level_sums"
    ),
    "tenant_only_on_evidence": Threshold(
        "tolerance.breaches",
        f"{_CHECKS}::test_a_row_without_tenant_and_without_reason_trips_evidence",
    ),
    "one_row_per_attribution_id": Threshold(
        "tolerance.breaches", f"{_CHECKS}::test_a_row_that_stands_twice_trips_identity"
    ),
    "one_policy_digest_per_version": Threshold(
        "tolerance.breaches",
        f"{_CHECKS}::test_two_contents_of_one_policy_version_trip_the_policy_check",
    ),
    "recorded_files": Threshold(
        "tolerance.breaches",
        f"{_CHECKS}::test_a_table_that_another_engine_rewrote_trips_recorded_files",
    ),
    "rollups_sum_to_the_ledger": Threshold(
        "tolerance.breaches",
        "orchestration/test_views.py::test_a_rollup_that_is_not_its_ledgers_fails_the_check",
    ),
    # alerting
    "rejected_records": Threshold(
        "tolerance.rejected_records", f"{_CHECKS}::test_a_broken_record_trips_rejected_records"
    ),
    "lines_in_two_files": Threshold(
        "tolerance.findings",
        f"{_TWICE}::test_a_corrected_bill_beside_the_old_one_is_told_with_its_files",
    ),
    "awaiting_objects": Threshold(
        "tolerance.awaiting_objects",
        "orchestration/test_awaiting.py::test_a_bill_without_its_manifest_alerts_once_nobody_writes_it",
    ),
    "telemetry_coverage": Threshold(
        "tolerance.telemetry_coverage",
        f"{_CHECKS}::test_coverage_and_unallocated_follow_the_policys_thresholds",
    ),
    "unallocated_share": Threshold(
        "slo.unallocated_share",
        f"{_CHECKS}::test_coverage_and_unallocated_follow_the_policys_thresholds",
    ),
    "evidence_gates": Threshold(
        "tolerance.findings", f"{_CHECKS}::test_a_finding_of_a_plane_trips_the_evidence_gates"
    ),
    "opencost_gates": Threshold(
        "tolerance.findings",
        "orchestration/test_opencost_check.py::"
        "test_a_finding_names_its_issue_its_subject_and_its_remedy",
    ),
    "normalization_gate": Threshold(
        "tolerance.breaches", f"{_CHECKS}::test_a_quantum_too_much_trips_conservation"
    ),
    "normalization_gate_month": Threshold(
        "tolerance.breaches",
        "proof/test_normalization.py::test_a_ledger_row_of_another_amount_is_no_bill_that_moved",
    ),
    "replay_variance": Threshold(
        "tolerance.replay_variance",
        f"{_REPLAY}::test_a_perturbed_row_input_or_policy_fails_the_check_by_name",
    ),
    "stale_partitions": Threshold(
        "tolerance.stale_days",
        "orchestration/test_staleness.py::test_the_check_prints_the_range_and_what_moved",
    ),
    "budget_guardrail": Threshold(
        "tolerance.reservations_over",
        f"{_RESERVATIONS}::test_a_budget_that_is_over_trips_the_guardrail",
    ),
    "reservation_drift": Threshold(
        "tolerance.reservation_drift",
        f"{_RESERVATIONS}::test_a_counter_off_the_ledger_trips_the_drift",
    ),
    "segmentation_completeness": Threshold(
        "slo.segmentation_completeness",
        f"{_COMPLETENESS}::test_a_slice_below_its_slo_trips_the_check_and_is_named",
    ),
    "actor_coverage": Threshold(
        "slo.actor_coverage",
        f"{_COMPLETENESS}::test_a_slice_below_its_slo_trips_the_check_and_is_named",
    ),
    # the score and the triage themselves
    "C1": Threshold(
        "tolerance.telemetry_coverage",
        f"{_SCORE}::test_c1_fails_where_landed_objects_give_other_amounts",
    ),
    "C2": Threshold(
        "slo.model_token_evidence", f"{_SCORE}::test_c2_counts_open_rows_as_without_evidence"
    ),
    "C3": Threshold(
        "slo.actor_coverage", f"{_SCORE}::test_c3_a_consumer_copied_from_the_principal"
    ),
    "C4": Threshold(
        "tolerance.replay_variance",
        f"{_SCORE}::test_c4_fails_where_a_recorded_row_was_made_otherwise",
    ),
    "C6": Threshold("tolerance.breaches", f"{_SCORE}::test_c6_names_a_damaged_file"),
    "P1": Threshold(
        "slo.override_median", f"{_TRIAGE}::test_p1_stops_at_a_reversible_mutation_and_names_it"
    ),
    "P2": Threshold(
        "slo.retry_chain_sample", f"{_TRIAGE}::test_p2_stops_at_a_chain_that_rebinds_identity"
    ),
    "P3": Threshold(
        "slo.segmentation_completeness", f"{_TRIAGE}::test_p3_stops_at_the_slice_below_its_slo"
    ),
}
"""Check -> its threshold."""

BESIDE: Mapping[str, Threshold] = {
    "awaiting_objects": Threshold(
        "tolerance.not_read_again",
        "orchestration/test_gone_files.py::"
        "test_a_tolerance_of_its_own_ends_the_alert_until_another_file_is_gone",
    ),
}
"""Check -> its second threshold, of one that counts two things apart."""


def of_check(check: str) -> list[Threshold]:
    """All thresholds of a check, none where there is no such check."""
    return [found[check] for found in (THRESHOLDS, BESIDE) if check in found]


def each() -> Iterator[tuple[str, Threshold]]:
    """Every check with its threshold; one that has two, twice."""
    for check in THRESHOLDS:
        for found in of_check(check):
            yield check, found
