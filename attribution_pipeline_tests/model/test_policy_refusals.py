"""Every kind of mistake in a policy is one line: file, line, what, remedy."""

from __future__ import annotations

import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline_tests.model.policies import DESIGN

ONE_OF_SPLIT = "use one of: tokens, requests, active_time, gpu_time, none"

MISTAKES = [
    # (what the file says, what it says by mistake, the line it is refused with)
    ("version: 3", "version: '3'",
     "p:2: `version` must be a whole number, is '3'; write digits only, no quotes"),
    ("version: 3", "version: 3.5",
     "p:2: `version` must be a whole number, is 3.5; write digits only, no quotes"),
    ("version: 3", "version: 0", "p:2: `version` is 0; write 1 or more"),
    ("version: 3", "version: 3000000000",
     "p:2: `version` is 3000000000; write 2147483647 or less"),
    ("version: 3", "version: true",
     "p:2: `version` must be a whole number, is true; write digits only, no quotes"),
    ("version: 3", "version: 3\nversion: 4",
     "p:3: key `version` appears twice (first in line 2); keep one of them"),
    ("policy: ai-chargeback\n", "", "p:1: key `policy` is missing; add `policy: ai-chargeback`"),
    ("policy: ai-chargeback", "policy: ai chargeback",
     "p:1: `policy` cannot be 'ai chargeback'; it must match "
     "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
    ("effective_from: 2026-10-01", "effective_from: soon",
     "p:3: `effective_from`: 'soon' is no day; write a day as YYYY-MM-DD"),
    ("effective_from: 2026-10-01", "effective_fron: 2026-10-01",
     "p:3: unknown key `effective_fron`; did you mean `effective_from`?"),
    ("metric: effective_cost", "metric: efective_cost",
     "p:9: `settlement.metric` cannot be 'efective_cost'; did you mean `effective_cost`?"),
    ("72h", "72", "p:10: `settlement.provisional_for`: 72 is no duration; write one like 90s, "
     "5m, 72h or 3d"),
    ("closed_period: restate", "closed_period:",
     "p:11: `settlement.closed_period` cannot be empty; use one of: restate, hold"),
    ("tenant-workflow-route/1", "tenant-workflow-route",
     "p:14: `join.contract` cannot be 'tenant-workflow-route'; it must match "
     "^[A-Za-z0-9._-]+/[1-9][0-9]*$"),
    ("window: day", "window: hour", "p:15: `join.window` cannot be 'hour'; use one of: day"),
    ("direction: allocate_to_operations", "direction: up",
     "p:16: `join.direction` cannot be 'up'; use one of: allocate_to_operations, "
     "roll_up_operations"),
    ("[account, region]", "[account, zone]",
     "p:17: `join.route_keys[2]` cannot be 'zone'; use one of: account, region"),
    ("[account, region]", "[account, account]",
     "p:17: `join.route_keys[2]`: 'account' is listed twice; list it once"),
    ("[account, region]", "account",
     "p:17: `join.route_keys` must be a list, is 'account'; write `- item` lines or [a, b]"),
    ("[attributes, ancestor", "[attribute, ancestor",
     "p:18: `join.identity[1]` cannot be 'attribute'; did you mean `attributes`?"),
    ("[pod_label,", "[pod_lable,",
     "p:19: `join.label_precedence[1]` cannot be 'pod_lable'; did you mean `pod_label`?"),
    ("tenant_label: tenant", "tenant_label: 12",
     'p:20: `join.tenant_label` must be text, is 12; write it in quotes: "12"'),
    ("tenant_tag: tenant", "tenant_tag: true",
     'p:21: `join.tenant_tag` must be text, is true; write it in quotes: "true"'),
    ("tenant_tag: tenant", "tenant_tag: ''",
     "p:21: `join.tenant_tag` is empty; give it a value or remove the key"),
    ("{Acme-Inc: acme}", "{Acme-Inc: acme, acme: a}",
     "p:22: `join.tenant_aliases.Acme-Inc`: `Acme-Inc` stands for `acme`, which is an alias "
     "itself; map each alias to the tenant's own name"),
    ('dedicated: [{namespace: "tenant-*"}]', "dedicated: [{}]",
     'p:23: `join.dedicated[1]`: declares every workload dedicated; say so: {namespace: "*"}'),
    ('dedicated: [{namespace: "tenant-*"}]', "attributes: {tenant: [app.tenant]}",
     "p:23: `join.attributes.tenant`: `tenant` is no who-column; did you mean `tenant_id`?"),
    ('dedicated: [{namespace: "tenant-*"}]', "attributes: {team: [app.team]}",
     "p:23: `join.attributes.team`: `team` is no who-column; use one of: tenant_id, consumer_id, "
     "principal_id, project, workflow_id, task, feature, agent, prompt_version, environment, "
     "originator_id, run_id; a name that only labels people or teams (team, cost_center) goes to "
     "`owners:`"),
    (', team: growth, cost_center: "4711"', "",
     "p:24: `owners[1]`: names neither team nor cost_center; add `team: ...`"),
    ('cost_center: "4711"', "cost_center: 4711",
     'p:24: `owners[1].cost_center` must be text, is 4711; write it in quotes: "4711"'),
    ('keys: ["gw-2026*"], ', "",
     'p:26: `issuers[1]`: key `keys` is missing; add `keys: ["gw-2026*"]`'),
    ('services: ["gateway"]', "services: []",
     "p:26: `issuers[1].services` has 0 entries; write at least one, or remove the key"),
    ("tie_out: 0", "tie_out: -1", "p:29: `tolerance.tie_out`: -1 is negative; write 0 or more"),
    ("tie_out: 0", "tie_out: '0'",
     "p:29: `tolerance.tie_out`: '0' is no number; write a plain number, without quotes"),
    ("[0.98, 1.02]", "[1.02, 0.98]",
     "p:31: `tolerance.telemetry_coverage`: [1.02, 0.98] is no range from low to high; write "
     "[0.98, 1.02]"),
    ("[0.98, 1.02]", "0.98",
     "p:31: `tolerance.telemetry_coverage`: is no range; write two numbers: [0.98, 1.02]"),
    ("actor_coverage: 0.95", "actor_coverage: 95",
     "p:36: `slo.actor_coverage`: 95 is no share; write a number from 0 to 1"),
    ("retry_chain_sample: 100", "retry_chain_sample: 0",
     "p:39: `slo.retry_chain_sample` is 0; write 1 or more"),
    ("evidence_gap: keep_unallocated", "evidence_gap: drop",
     "p:41: `evidence_gap` cannot be 'drop'; use one of: keep_unallocated, spread"),
    ('{ServiceName: "Amazon Bedrock", SkuMeter: "*-input-tokens"}', "{}",
     'p:44: `meters[1].match`: matches every charge; say so: {ChargeCategory: "*"}'),
    ('ServiceName: "Amazon Bedrock"', "ServceName: x",
     "p:44: `meters[1].match.ServceName`: `ServceName` is no FOCUS column; did you mean "
     "`ServiceName`?"),
    ('ServiceName: "Amazon Bedrock"', "BilledCost: '1'",
     "p:44: `meters[1].match.BilledCost`: `BilledCost` is no text column; match what names a "
     "charge, not its amount or time"),
    ('ServiceName: "Amazon Bedrock"', "Tags: x",
     "p:44: `meters[1].match.Tags`: `Tags` is a set of tags; name one tag: `Tags.<key>`"),
    ('ServiceName: "Amazon Bedrock"', "SkuId: 123",
     'p:44: `meters[1].match.SkuId` must be text, is 123; write it in quotes: "123"'),
    ("    provider: aws.bedrock\n", "",
     "p:44: `meters[1]`: key `provider` is missing; add `provider: aws.bedrock`"),
    ("from: SkuMeter", "from: SkuMetre",
     "p:46: `meters[1].model.from`: `SkuMetre` is no FOCUS column; did you mean `SkuMeter`?"),
    ("(?P<model>.+)-input", "(.+)-input",
     "p:46: `meters[1].model.pattern`: the regular expression has no group named `model`; mark "
     "what to take: (?P<model>...)"),
    ("^(?P<model>.+)-input", "^(?P<model>.+-input",
     "p:46: `meters[1].model.pattern`: the regular expression does not compile (missing ), "
     "unterminated subpattern at position 1); correct the expression"),
    ("token_kind: uncached_input", "token_kind: uncached",
     "p:47: `meters[1].token_kind`: `uncached` is no token kind; did you mean "
     "`uncached_input`?"),
    ("{Tokens: 1,", "{Tokens: 0,",
     "p:48: `meters[1].tokens_per_unit.Tokens`: `Tokens` is 0 tokens; write how many tokens one "
     "unit is"),
    ("{Tokens: 1, 1000 Tokens: 1000, 1M Tokens: 1000000}", "{}",
     "p:48: `meters[1].tokens_per_unit`: names no unit; add the units of the bill: {1000 "
     "Tokens: 1000}"),
    ("from: provider_id", "from: providerid",
     "p:51: `nodes[1].from` cannot be 'providerid'; did you mean `provider_id`?"),
    ("(?P<id>i-", "(?P<node>i-",
     "p:51: `nodes[1].pattern`: the regular expression has no group named `id`; mark what to "
     "take: (?P<id>...)"),
    ("to: ResourceId", "to: resource_id",
     "p:51: `nodes[1].to`: `resource_id` is no FOCUS column; did you mean `ResourceId`?"),
    ('server_address: "llama-70b.inference.svc*", ', "",
     "p:53: `serving[1]`: names neither server_address nor model; add `server_address: ...`"),
    ("surface: vector_database", "surface: vectors",
     "p:65: `pools[2].surface`: `vectors` is no surface; did you mean `vector_database`?"),
    ("    split: opencost\n", "",
     "p:60: `pools[1].idle`: `idle` needs `split: opencost`; add the split or remove the key"),
    ("    driver: active_time\n", "    driver: cost\n",
     f"p:60: `pools[1].driver`: a pod's cost cannot follow `cost`; {ONE_OF_SPLIT}"),
    ("    split: opencost\n", "    split: opencost\n    component: overhead\n",
     "p:60: `pools[1].component`: a split pool cannot be overhead; remove one of the two"),
    ("idle: {driver: active_time, within: node}", "idle: {within: node}",
     "p:61: `pools[1].idle`: needs either a driver or `keep: visible`; write one of the two"),
    ("idle: {driver: active_time, within: node}", "idle: {driver: cost, keep: visible}",
     "p:61: `pools[1].idle`: needs either a driver or `keep: visible`; write one of the two"),
    ("idle: {driver: active_time", "idle: {driver: fixed",
     "p:61: `pools[1].idle.driver`: `fixed` is no driver of idle; use one of: tokens, requests, "
     "active_time, gpu_time, cost, even"),
    ("usage.query_units", "usage.",
     "p:66: `pools[2].driver`: `usage.` is no driver; did you mean `usage.<metric>`?"),
    ("usage.query_units", "fixed",
     "p:66: `pools[2].driver`: driver `fixed` needs percentages by tenant; add `fixed: {acme: "
     "60, globex: 40}`"),
    ("driver: usage.query_units", "driver: fixed\n    fixed: {acme: 60, globex: 39.99}",
     "p:67: `pools[2].fixed`: percentages total 99.99; they must total exactly 100"),
    ("driver: usage.query_units", "driver: fixed\n    fixed: {acme: 110, globex: -10}",
     "p:67: `pools[2].fixed.globex`: `globex` gets -10 percent; give it more than 0 or leave it "
     "out"),
    ("driver: usage.query_units", "driver: cost\n    fixed: {acme: 100}",
     "p:67: `pools[2].fixed`: `fixed` needs `driver: fixed`, not cost; change the driver or "
     "remove the key"),
    ("name: tax", "name: support",
     "p:71: `pools[4].name`: pool name `support` is used twice (pools 3 and 4); name pools "
     "apart: rows carry the name"),
    ("pools:\n", "pools: {}\nx:\n", "p:56: unknown key `x`; use one of: policy, version, "
     "effective_from, published_by, decided_in, note, settlement, join, owners, issuers, "
     "tolerance, slo, evidence_gap, meters, nodes, serving, pools"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "line"), MISTAKES, ids=lambda text: text[:40])
def test_mistake_is_one_line_with_place_and_remedy(good: str, bad: str, line: str) -> None:
    assert good in DESIGN
    with pytest.raises(Refusal) as refused:
        parse_policy(DESIGN.replace(good, bad, 1), "p")
    assert refused.value.line() == line


def test_of_several_mistakes_the_first_in_the_file_is_told_and_the_others_are_counted() -> None:
    text = DESIGN.replace("name: tax", "nme: tax").replace("72h", "x").replace("0.99", "9")
    with pytest.raises(Refusal) as refused:
        parse_policy(text, "p")
    assert refused.value.line() == (
        "p:10: `settlement.provisional_for`: 'x' is no duration (first of 4 errors); write one "
        "like 90s, 5m, 72h or 3d"
    )


@pytest.mark.parametrize("share", ["33.3", "33.33", "33.333333333333333333333333333333333333333"])
def test_three_thirds_in_percent_never_total_100_by_rounding(share: str) -> None:
    fixed = f"driver: fixed\n    fixed: {{a: {share}, b: {share}, c: {share}}}"
    with pytest.raises(Refusal, match=r"percentages total 99\.9"):
        parse_policy(DESIGN.replace("driver: usage.query_units", fixed))


def test_percentages_beyond_28_digits_are_not_rounded_to_100() -> None:
    fixed = f"driver: fixed\n    fixed: {{a: 50, b: 50.{'0' * 30}1}}"
    with pytest.raises(Refusal, match=f"percentages total 100.{'0' * 30}1; they must"):
        parse_policy(DESIGN.replace("driver: usage.query_units", fixed))


def test_fixed_percentages_with_decimals_that_total_100_are_exact() -> None:
    fixed = "driver: fixed\n    fixed: {a: 33.3, b: 33.3, c: 33.4}"
    policy = parse_policy(DESIGN.replace("driver: usage.query_units", fixed))
    assert sum(policy.pools[1].fixed.values()) == 100
