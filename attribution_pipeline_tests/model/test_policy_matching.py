"""Which charges a rule means."""

from __future__ import annotations

import pytest

from attribution_pipeline.model.policy import matches, parse_policy
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.model.policies import DESIGN, SMALL

ROW = {
    "ServiceName": "Amazon Bedrock", "SkuMeter": "claude-x-input-tokens", "ResourceId": None,
    "RegionId": "us-east-1", "x_Discounts": "none", "AllocatedTags": '{"team": "a", "n": 1}',
    "x_columns": '{"x_ServiceCode": "AmazonBedrock", "x_Null": null}',
}  # fmt: skip
TAGS = {"eks-cluster": "prod", "empty": ""}


@pytest.mark.parametrize(
    "conditions",
    [
        {"ServiceName": "Amazon Bedrock"}, {"ServiceName": "Amazon*"},
        {"SkuMeter": "*-input-tok?ns"},
        {"RegionId": "us-[ew]*"}, {"Tags.eks-cluster": "*"}, {"Tags.empty": "*"},
        {"AllocatedTags.team": "a"}, {"AllocatedTags.n": "1"}, {"x_Discounts": "n*"},
        {"x_ServiceCode": "AmazonBedrock"}, {"ServiceName": "*", "Tags.eks-cluster": "prod"},
    ],
)  # fmt: skip
def test_charge_that_meets_all_conditions_matches(conditions: dict[str, str]) -> None:
    assert matches(conditions, ROW, TAGS)


@pytest.mark.parametrize(
    "conditions",
    [
        {"ServiceName": "amazon bedrock"},  # case matters
        {"ServiceName": "Bedrock"},  # the whole value, not a part of it
        {"ServiceName": "*", "Tags.eks-cluster": "dev"},  # all conditions
        {"RegionId": "us-[!e]*"}, {"Tags.eks": "*"}, {"AllocatedTags.x": "*"}, {"x_Other": "*"},
    ],
)  # fmt: skip
def test_charge_that_misses_one_condition_does_not_match(conditions: dict[str, str]) -> None:
    assert not matches(conditions, ROW, TAGS)


@pytest.mark.parametrize("column", ["ResourceId", "SkuId", "Tags.none", "x_Null"])
def test_null_never_matches_not_even_a_star(column: str) -> None:
    assert not matches({column: "*"}, ROW, TAGS)


def test_first_meter_and_first_pool_win() -> None:
    policy = parse_policy(
        SMALL
        + "pools:\n"
        + "".join(
            f"  - {{name: {name}, match: {{ServiceName: {pattern!r}}}, driver: even}}\n"
            for name, pattern in [("s3", "Amazon S3"), ("amazon", "Amazon*"), ("all", "*")]
        )
    )
    found = [
        policy.pool_of({"ServiceName": name}, {})
        for name in ("Amazon S3", "Amazon EC2", "Pinecone", None)
    ]
    assert [pool[1].name if pool else None for pool in found] == ["s3", "amazon", "all", None]
    assert [pool[0] if pool else None for pool in found] == [0, 1, 2, None]


def test_meter_cuts_the_model_out_of_the_charge() -> None:
    policy = parse_policy(DESIGN)
    found = policy.meter_of(ROW, {})
    assert found is not None
    assert found[1].model_of(ROW, {}) == "claude-x"
    assert found[1].model_of({**ROW, "SkuMeter": "other"}, {}) is None
    assert found[1].model_of({**ROW, "SkuMeter": None}, {}) is None
    assert policy.meter_of({**ROW, "SkuMeter": "claude-x-output-tokens"}, {}) is None


def test_meter_may_name_one_model() -> None:
    text = (WORKED_DAY / "policies" / "policy-1.yaml").read_text()
    named = text.replace('{from: SkuMeter, pattern: "^(?P<model>.+)-output-tokens$"}', "claude-x")
    assert parse_policy(named).meters[2].model_of({}, {}) == "claude-x"


def test_node_mapping_takes_the_id_out_of_the_name_it_reads() -> None:
    node = parse_policy(DESIGN).nodes[0]
    assert node.id_of(provider_id="aws:///us-east-1a/i-0abc", node="n") == "i-0abc"
    assert node.id_of(provider_id="azure:///x", node="i-0abc") is None
    assert node.id_of(provider_id=None, node="i-0abc") is None


def test_serving_rule_matches_by_address_and_model() -> None:
    rule = parse_policy(DESIGN).serving[0]
    assert rule.matches(server_address="llama-70b.inference.svc.cluster.local", model=None)
    assert not rule.matches(server_address="other", model="llama")
    assert not rule.matches(server_address=None, model="llama")
