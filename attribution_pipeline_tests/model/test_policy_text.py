"""The runbook says what the policy says, with worked lines that the formulas compute."""

from __future__ import annotations

import re

from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.model.policy_text import render, summary, weighed
from attribution_pipeline_tests.model.policies import DESIGN, SMALL


def test_runbook_names_every_rule_in_match_order() -> None:
    text = render(parse_policy(DESIGN))
    places = [text.index(f"| {n} | `{name}` |") for n, name in
              enumerate(("gpu-nodes", "vectors", "support", "tax"), start=1)]  # fmt: skip
    assert places == sorted(places)
    for said in (
        "ServiceName = Amazon Bedrock", "^(?P<model>.+)-input-tokens$", "uncached_input",
        "1M Tokens` = 1000000", "72 hours", "0.98 to 1.02", "99 %", "5 minutes",
        "`Acme-Inc` is `acme`", "inference/vllm-llama-70b", "growth", "4711", "gw-2026\\*",
        "idle by `active_time` within the node", "over-allocation shows as negative idle",
        "restates the row", "usage.query_units",
    ):  # fmt: skip
        assert said in text or said.replace("\\", "") in text, said


def test_worked_lines_are_computed_by_the_divisions_themselves() -> None:
    text = render(parse_policy(DESIGN))
    assert "10 x 300,000 / 1,000,000 = 3.00; with nothing else seen, 7.00 stays open" in text
    assert "gpu has 12.00; a pod with 9 of the gpu's 12 pays 9.00, 3.00 is idle" in text
    assert "0.333333333334, 0.333333333333, 0.333333333333" in text


def test_every_driver_has_a_worked_line() -> None:
    for driver in ("tokens", "requests", "active_time", "gpu_time", "cost", "even", "usage.bytes"):
        pool = f"pools: [{{name: a, match: {{SkuId: '*'}}, driver: {driver}}}]\n"
        text = render(parse_policy(SMALL + pool))
        assert re.search(
            rf"\| `{re.escape(driver)}`[^|]* \| .+ \| 100 over .+: [0-9.]+, [0-9.]+", text
        )


WEIGHED_BY_COST = """pools:
  - {name: control-plane, match: {ServiceName: EKS}, driver: cost}
  - {name: nodes, match: {ServiceName: N}, split: opencost, driver: active_time, idle: {driver: cost}}
  - {name: support, match: {ServiceName: S}, component: overhead, driver: cost}
  - {name: vectors, match: {ServiceName: V}, driver: tokens}
"""


def test_what_a_cost_driver_weighs_is_said_by_the_phase_that_asks_it() -> None:
    policy = parse_policy(SMALL + WEIGHED_BY_COST)
    runbook = render(policy)
    assert (
        "| `cost` of a shared pool (`component: shared`, the default) | the settlement metric of "
        in runbook
    )
    for phase, looked_at in (
        ("a shared pool (`component: shared`, the default)", "meters alone"),
        ("idle", "meters, pods, shared pools, tags and what no rule takes"),
        ("`component: overhead`", "everything that is not overhead"),
    ):
        row = next(
            line for line in runbook.splitlines() if line.startswith(f"| `cost` of {phase} |")
        )
        assert f"Usage rows of {looked_at}" in row


def test_a_plain_line_says_for_each_pool_by_cost_what_it_looks_at() -> None:
    assert weighed(parse_policy(SMALL + WEIGHED_BY_COST)) == [
        "`cost` in nodes (idle) weighs costs of meters, pods, shared pools, tags and what no rule takes (no idle)",
        "`cost` in support (overhead) weighs costs of everything that is not overhead (meters, pods, shared "
        "pools, tags, idle, what no rule takes)",
        "`cost` in control-plane (shared) weighs costs of meters alone (no pods, no pools, no idle)",
    ]
    assert weighed(parse_policy(SMALL)) == []


def test_late_data_rule_follows_the_policy() -> None:
    held = render(parse_policy(DESIGN.replace("closed_period: restate", "closed_period: hold")))
    assert "the distribution is frozen" in held
    assert "restates the row" not in held


def test_same_policy_gives_the_same_text() -> None:
    assert render(parse_policy(DESIGN)) == render(parse_policy("# comment\n" + DESIGN))


def test_text_of_a_policy_cannot_break_out_of_its_table_or_add_markup() -> None:
    text = render(
        parse_policy(
            SMALL
            + "note: '<script>x</script> | [a](b)'\n"
            + "pools: [{name: a, match: {SkuId: 'x|y`z'}, driver: even}]\n"
        )
    )
    assert "<script>" not in text
    assert "`` SkuId = x\\|y`z ``" in text
    rows = [line for line in text.splitlines() if line.startswith("| 1 |")]
    assert all(len(re.split(r"(?<!\\)\|", row)) == 8 for row in rows)


def test_summary_is_a_few_plain_lines() -> None:
    lines = summary(parse_policy(DESIGN))
    assert lines[0].startswith("ai-chargeback version 3, in force from charge day 2026-10-01")
    assert lines[1].startswith("1 meter, 4 pools (active_time, cost, usage.query_units)")
    assert len(lines) == 3


def test_empty_policy_says_what_happens_without_rules() -> None:
    text = render(parse_policy(SMALL))
    assert "what no meter takes is `unmatched_charge`" in text
    assert "None: no charge is divided by tokens." in text


def test_runbook_says_how_late_data_and_a_later_version_are_taken() -> None:
    text = render(parse_policy(DESIGN))
    for said in (
        "provisional for 72 hours after it ends, and settled once its charges are closed",
        "gets its next `revision`",
        "attribution ledger --as-of TIME",
        "or the same day under a higher number",
        "only by force (`attribution run --force`)",
    ):
        assert said in text
    assert "until then every day is provisional" not in text
