"""What to do when a check fails: for the docs, and for whoever is woken by it.

Belongs here: one remedy a check, in the order in which to try. Does not: what a check found (its own
description says that, with the numbers), thresholds (``proof.score.thresholds``). A test fails where
a check has no remedy here.
"""

from __future__ import annotations

from collections.abc import Mapping

_NOT_A_SETTING = (
    "Nobody can configure this away: the day is wrong. Keep the run, replay the day "
    "(`attribution replay --from D`), and report what both say."
)

REMEDIES: Mapping[str, str] = {
    "conservation_per_charge": _NOT_A_SETTING,
    "conservation_per_invoice": _NOT_A_SETTING,
    "conservation_per_day": _NOT_A_SETTING,
    "tie_back_to_nodes": "Workload and idle of a node do not add up to its cost. " + _NOT_A_SETTING,
    "request_level_sums": _NOT_A_SETTING,
    "tenant_only_on_evidence": _NOT_A_SETTING,
    "one_row_per_attribution_id": _NOT_A_SETTING,
    "one_policy_digest_per_version": "A policy file was changed under a version that is in use. "
    "Restore it (the lake keeps its own copy, and `attribution policy check` names it), and publish "
    "the change under the next number.",
    "recorded_files": "A file that the manifest names is missing, or is another: something else wrote "
    "to the lake. Restore it from a backup; its name and sha256 are in the message.",
    "rollups_sum_to_the_ledger": "A roll-up is not what its ledger says. Run the day again: it is made "
    "anew, and the ledger itself is untouched. If it stays, report what the message says.",
    "rejected_records": "`attribution rejected` lists each record with file, position and reason. Mend "
    "the source, deliver again, and let it land. Deleting a file clears nothing: put a corrected one under "
    "the same path (of a CSV the header alone, of a vendor's API a page with `data` empty).",
    "lines_in_two_files": "The message names the files. A bill that was put beside its older copy is counted "
    "twice: copy the right file (or the header line alone) over the wrong one, or put the whole bill into a "
    "later-named subfolder, and run again ([how](../how-to/own-data.md)). Where the vendor really charges both, raise "
    "`tolerance.findings`.",
    "awaiting_objects": "Files lie in a source that no run has read: a bill without its manifest, a "
    "delivery of which a part is missing, a file that may not be read. The message names each with what "
    "to do: mostly to copy the manifest too (for AWS the folder `metadata/` beside `data/`). A file that "
    "is wanted no more, or is data that no reader of this source reads (a vendor's console CSV), goes out of "
    "the source's folder. Spans that were landed before a version named an attribute, and whose file is gone: "
    "put the file back, or accept so many with `tolerance.not_read_again` of the newest version, which may "
    "take effect tomorrow and moves no day. Of a source that is not in the deployment file: see "
    "[renaming a source](../how-to/own-data.md#renaming-a-source).",
    "telemetry_coverage": "Tokens seen and tokens billed disagree. Too few: find the emitter that does "
    "not report, by region and account. Too many: look for calls on another account, or two "
    "instrumentations that are not recognised as twins. None billed: a vendor's costs came without its usage "
    "report ([which](../how-to/live-sources.md)). Deliver, and the day is reconciled again.",
    "unallocated_share": "`attribution ledger --by unallocated_reason,service` shows where it stands; "
    "the message names the remedy for the largest reason.",
    "evidence_gates": "A plane noticed duplicates, gaps or impossible counts. Mend the source that the "
    "finding names, or the policy's rule, and run the day again.",
    "opencost_gates": "`attribution gates DAY` lists findings by issue number, with remedy "
    "(see [OpenCost, looked at](../opencost-gates.md)).",
    "normalization_gate": "Hours do not add up to the day. " + _NOT_A_SETTING,
    "normalization_gate_month": "Days do not add up to the billing periods as delivered. Run the days "
    "that the message names again; if it stays: " + _NOT_A_SETTING,
    "replay_variance": "Exit 3: an input is missing or changed, restore it. Exit 4: the same inputs "
    "give another result, look whether the kernel changed. Exit 5: a recorded day does not conserve. "
    "The message names the first row, input or policy that differs.",
    "stale_partitions": "Paste the printed range into the backfill dialog "
    "([how](../policy-change.md)), or turn on the sensor `late_evidence`.",
    "budget_guardrail": "`attribution reservations` shows each budget with its forecast. Look what moved "
    "the spend (`attribution ledger --by tenant_id,workflow_id`), then slow it down or raise the amount "
    "in its file. A budget in a currency that nothing costs in guards nothing: write it in the bill's.",
    "reservation_drift": "`attribution reservations --drift` shows counter and ledger. A gateway counts "
    "calls at list price: give its budget the scope that it can see (`component = direct`), bring its "
    "prices up to date, and look for calls that go around it.",
    "segmentation_completeness": "Deliver the spans that are missing; stamp `attribution.tenant_id` "
    "and `attribution.workflow_id` on calls. `attribution triage --only P3 --out rows.json` names the "
    "rows.",
    "actor_coverage": "Say both who called (`attribution.principal_id`) and for whom "
    "(`attribution.consumer_id`), and never copy one into the other.",
}
"""Check -> what to do."""
