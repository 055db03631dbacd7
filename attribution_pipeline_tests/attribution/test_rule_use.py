"""Rules that take nothing are named: by the day where it shows, by list where somebody asks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attribution_pipeline.attribution import late_plane
from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.matching import columns_read
from attribution_pipeline.attribution.rule_use import BILLED_AS, RuleUse, rules_used
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.views.rule_use import MOST_UNTAKEN, lines, untaken
from attribution_pipeline_tests.attribution.days import (
    DAY,
    NODES,
    Day,
    call,
    day,
    line,
    node,
    pod,
)
from attribution_pipeline_tests.attribution.test_late import after, small

KEEP = NODES % "{keep: visible}"
SERVED = {"server_address": "vllm.inference.svc", "model": "llama"}
TYPO = """serving:
  - {server_address: "vllm.*", workload: {namespace: inference, controller: vlm}}
  - {model: "*", workload: {namespace: inference}}
"""
CLUSTER = {
    "assets": [node("n1", cpu=10)],
    "allocations": [pod("vllm", "n1", cpu=5, namespace="inference")],
}
BILL = [line(1, "10", ServiceCategory="Compute", ResourceId="i-n1")]


def noticed(found: Day) -> list[tuple[str, str, str]]:
    return [(one.check, one.subject, one.detail) for one in found.outcome.findings]


def test_a_serving_rule_whose_workload_has_no_pod_is_a_finding_with_its_calls(tmp_path):
    calls = [call(number, "a", **SERVED) for number in (1, 2)]
    found = day(tmp_path / "typo", KEEP + TYPO, lines=BILL, spans=calls, **CLUSTER)
    assert noticed(found) == [
        (
            "serving_without_workload", "inference/vlm",
            "rule 1 under `serving:` takes 2 calls, and OpenCost has no pod of its workload: no "
            "server's cost follows them",
        )
    ]  # fmt: skip
    mended = TYPO.replace("vlm}", "vllm}")
    assert noticed(day(tmp_path / "b", KEEP + mended, lines=BILL, spans=calls, **CLUSTER)) == []


def test_a_workload_that_nobody_called_may_be_away(tmp_path):
    other = [call(1, "a", server_address="other", model="m")]
    assert noticed(day(tmp_path, KEEP + TYPO, lines=BILL, spans=other, **CLUSTER)) == []


def test_without_a_snapshot_of_any_pod_nothing_is_said_of_workloads(tmp_path):
    found = day(tmp_path, KEEP + TYPO, lines=[line(1, "10")], spans=[call(1, "a", **SERVED)])
    assert noticed(found) == []


def test_a_late_call_notices_what_the_whole_day_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(late_plane, "MOST_LATE", 0)  # the day is too small to pay
    cluster = {**CLUSTER, "allocations": [*CLUSTER["allocations"], pod("web", "n1", cpu=3)]}
    web = {"namespace": "apps", "pod": "web"}
    early = [call(number, "a", **SERVED) for number in (1, 2)]
    (late,) = after(
        tmp_path, small(KEEP + TYPO, BILL, **cluster), early, [call(9, "b", **web, **SERVED)]
    )
    assert late.outcome is not None
    (finding,) = late.outcome.findings
    assert "takes 3 calls" in finding.detail


@pytest.mark.parametrize(
    ("columns", "policy", "taker"),
    [
        ({}, KEEP, "no rule did: it is `unmatched_charge`"),
        (
            {},
            f"{KEEP}  - {{name: rest, match: {{ServiceName: '*'}}, driver: cost}}\n",
            "pool `rest` did, which does not split",
        ),
    ],
)
def test_a_node_whose_charge_no_splitting_pool_took_is_told_who_took_it(
    tmp_path, columns, policy, taker
):
    bill = [line(1, "10", ServiceCategory="Other", ResourceId="arn:aws:ec2:x/I-N1", **columns)]
    assert noticed(day(tmp_path, policy, lines=bill, **CLUSTER)) == [
        (
            "node_without_charge", "c/i-n1",
            "OpenCost lists the node, and no pool with `split: opencost` took the charge that names it "
            f"({taker}): widen the `match` of one, or add one above the rule that took it",
        )
    ]  # fmt: skip


def test_a_node_that_no_charge_names_is_told_so(tmp_path):
    (only,) = noticed(day(tmp_path, KEEP, lines=[line(1, "10", ResourceId="i-other")], **CLUSTER))
    assert only[2].endswith("no charge that a pool splits by OpenCost names it")


RULES = """
policy: test
version: 1
effective_from: 2026-01-01
join: {dedicated: [{namespace: inference}, {namespace: "tenant-*"}]}
owners: [{tenant: a, team: x}, {tenant: b, team: x}, {tenant: a, team: y}]
nodes:
  - {from: node, pattern: "^(?P<id>gke-.+)$"}
  - {from: provider_id, pattern: "(?P<id>i-[a-z0-9]+)$"}
serving:
  - {server_address: "vllm.*", workload: {namespace: inference, controller: vlm}}
  - {model: bge, workload: {namespace: inference}}
meters:
  - {match: {SkuMeter: "*-in"}, provider: v, token_kind: input, model: {from: SkuMeter, pattern: "^(?P<model>.+)-in$"}}
  - {match: {SkuMeter: "m-in"}, provider: v, token_kind: input, model: m}
pools:
  - {name: nodes, match: {ServiceCategory: Compute}, split: opencost, driver: none}
  - {name: tagged, match: {ServiceName: Tagged}, driver: even, tagged: first}
  - {name: typo, match: {ServiceName: "AWS Suport"}, driver: cost}
"""


CHARGES = (
    {"ServiceCategory": "Compute", "ResourceId": "i-n1"},
    {"SkuMeter": "m-in"},
    {"ServiceName": "Tagged", "Tags": '{"tenant": "a"}'},
    {"ServiceName": "AWS Suport", "outside_range": True},
)
PODS = ({"namespace": "inference", "controller": "vllm", "pod": "vllm-0", "row_kind": "workload"},)
CALLS = ({"server_address": "vllm.inference.svc", "model": "llama"},)
NODE = ({"provider_id": "aws:///zone/i-n1", "name": "n1"},)
SAID_OF_CHARGES = (*BILLED_AS, "ConsumedUnit", "PricingUnit", "consumed_quantity", "effective_cost")
ROWS = ((None, None), ("a", "w"))


def asked(folder: Path, charges=CHARGES, pods=PODS, calls=CALLS, nodes=NODE, owned=ROWS) -> RuleUse:
    """What ``RULES`` took of planes with these rows."""
    policy = parse_policy(RULES)
    columns = {
        "charges": ("outside_range", *dict.fromkeys((*columns_read(policy), *SAID_OF_CHARGES))),
        "pods": ("cluster", "namespace", "controller", "pod", "row_kind"),
        "calls": ("server_address", "model", "serving_pod"),
        "nodes": ("provider_id", "name"),
    }
    files = {}
    for table, rows in (("charges", charges), ("pods", pods), ("calls", calls), ("nodes", nodes)):
        types = {name: pa.string() for name in columns[table]} | (
            {"outside_range": pa.bool_(), "effective_cost": pa.decimal128(38, 12)}
            if table == "charges"
            else {}
        )
        given = [({"outside_range": False} if table == "charges" else {}) | row for row in rows]
        folder.mkdir(exist_ok=True)
        files[table] = [str(folder / f"{table}.parquet")]
        pq.write_table(pa.Table.from_pylist(given, pa.schema(types)), files[table][0])
    with session(Compute(threads=1)) as db:
        return rules_used(
            db, policy, charges=files["charges"], cluster=files, operations=files["calls"], owned=owned
        )  # fmt: skip


def test_rules_that_took_nothing_are_listed_and_no_others(tmp_path):
    assert lines(parse_policy(RULES), asked(tmp_path), [DAY]) == [
        "took nothing on 1 day: 2026-10-05:",
        "  serving 1: calls match it, and no pod is of its workload inference/vlm",
        "  meters 2: meters above it take every charge with SkuMeter = m-in",
        "  pools 3 `typo`: no charge with ServiceName = AWS Suport",
        "  nodes 1: no node whose node has ^(?P<id>gke-.+)$",
        "  serving 2: no call with model = bge",
        "  join.dedicated 2: no pod with namespace = tenant-*",
        "  owners 2: no row with tenant = b and workflow = *",
        "  owners 3: rules above it own every row with tenant = a and workflow = *",
    ]


def test_what_took_something_on_one_of_many_days_is_not_listed(tmp_path):
    second = asked(tmp_path / "2", charges=({"ServiceName": "AWS Suport"},), nodes=(), pods=())
    said = lines(parse_policy(RULES), asked(tmp_path / "1", pods=(), nodes=()) | second, [DAY])
    assert [text.partition(":")[0].strip() for text in said[1:]] == [
        "meters 2", "serving 2", "owners 2", "owners 3",
    ]  # fmt: skip


def test_a_rule_that_others_come_before_is_told_from_one_that_nothing_meets(tmp_path):
    charges = (
        {"SkuMeter": "-in"},  # met, and the model's pattern wants a letter
        {"ServiceCategory": "Compute", "ServiceName": "AWS Suport", "ResourceId": "i-n1"},
    )
    calls = (*CALLS, {"server_address": "vllm.inference.svc", "model": "bge"})
    nodes = ({"provider_id": "i-n1", "name": "gke-n1"},)
    found = asked(tmp_path, charges=charges, calls=calls, nodes=nodes, owned=(("b", None),))
    assert lines(parse_policy(RULES), found, [DAY], [1, 3])[2:] == [
        "  meters 1: no charge with SkuMeter = *-in names a model: its SkuMeter has nothing like "
        "^(?P<model>.+)-in$",
        "  meters 2: no charge with SkuMeter = m-in",
        "  pools 2 `tagged`: no charge with ServiceName = Tagged",
        "  pools 3 `typo`: meters or pools above it take every charge with ServiceName = AWS Suport",
        "  nodes 2: rules above it name every node whose provider_id has (?P<id>i-[a-z0-9]+)$",
        "  serving 2: rules above it take every call with model = bge",
        "  join.dedicated 2: no pod with namespace = tenant-*",
        "  owners 1: no row with tenant = a and workflow = * (asked of rows as versions 1, 3 made them)",
        "  owners 3: no row with tenant = a and workflow = * (asked of rows as versions 1, 3 made them)",
    ]


def test_a_day_without_evidence_of_a_kind_lists_none_of_its_rules(tmp_path):
    nothing = asked(tmp_path, charges=(), pods=(), calls=(), nodes=(), owned=())
    assert lines(parse_policy(RULES), nothing, [DAY]) == []


def billed(
    cost: str, meter: str | None, service: str = "S", **columns: object
) -> dict[str, object]:
    said = {"ServiceName": service, "SkuMeter": meter, "BillingCurrency": "USD"}
    return {**said, "effective_cost": Decimal(cost), **columns}


def test_charges_that_no_rule_takes_are_named_dearest_first(tmp_path: Path) -> None:
    charges = (
        billed("9", "m-in"),  # a meter takes it
        billed("9", None, "Gone", outside_range=True),
        billed("1.5", "out", PricingUnit="1K"),
        billed("-7.006", None, "Credit"),
        # costs and usage of one vendor meter: the quantity comes without money
        billed("3", "in"),
        billed("0", "in", ConsumedUnit="Tokens", PricingUnit="x", consumed_quantity="7"),
        billed("0", "free"),
        billed("0.0004", "dust"),
    )
    first = asked(tmp_path / "1", charges=charges)
    assert untaken(first) == [
        "no rule takes: Credit / no SkuMeter (-7.01 USD)",
        "no rule takes: S / in, Tokens (3.00 USD)",
        "no rule takes: S / out, 1K (1.50 USD)",
        "no rule takes: S / dust (0.0004 USD)",
    ]
    second = asked(tmp_path / "2", charges=(billed("3", "out", PricingUnit="1M"),))
    assert untaken(first | second)[1] == "no rule takes: S / out, 1K or 1M (4.50 USD)"


def test_of_many_charges_that_no_rule_takes_the_dearest_are_named(tmp_path: Path) -> None:
    charges = [billed(str(cost), f"meter {cost}") for cost in range(1, MOST_UNTAKEN + 4)]
    said = untaken(asked(tmp_path, charges=charges))
    assert len(said) == MOST_UNTAKEN + 1
    assert said[-1] == "no rule takes: 3 more"
