"""``attribution init``: the first policy fits what clouds put into their bills."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attribution_pipeline.attribution.matching import assign
from attribution_pipeline.commands import init
from attribution_pipeline.model.policy import Policy, parse_policy

TEMPLATE = Path(init.__file__).parent / "templates" / init.FILES[1]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse_policy(TEMPLATE.read_text())


@pytest.mark.parametrize(
    ("charge", "pool"),
    [
        ({"ServiceCategory": "Compute", "Tags": '{"aws:eks:cluster-name": "prod"}'}, "nodes-eks"),
        (
            {"ServiceCategory": "Compute", "Tags": '{"eks:cluster-name": "prod"}'},
            "nodes-eks-tagged",
        ),
        ({"ServiceCategory": "Compute", "Tags": '{"aks-managed-poolName": "gpu"}'}, "nodes-aks"),
        ({"ServiceCategory": "Compute", "Tags": '{"goog-k8s-cluster-name": "p"}'}, "nodes-gke"),
        ({"ServiceName": "AWS Support (Business)"}, "support"),
        ({"ServiceName": "AWS Support (Enterprise)"}, "support"),
        ({"ServiceName": "AWS Support"}, "support"),
        ({"ChargeCategory": "Tax", "ServiceName": "Amazon Bedrock"}, "tax"),
        ({"ServiceCategory": "Compute", "Tags": '{"Name": "bastion"}'}, None),
    ],
)
def test_charges_of_clouds_find_their_pool(
    policy: Policy, charge: dict[str, str], pool: str | None
) -> None:
    found = assign(charge, policy, outside_range=False)
    assert (policy.pools[found.pool].name if found.pool >= 0 else None) == pool


@pytest.mark.parametrize(
    ("provider_id", "node", "resource"),
    [
        ("aws:///eu-west-1a/i-0abc", "ip-10-0-0-1", "i-0abc"),
        (
            "azure:///subscriptions/s/resourceGroups/mc/providers/Microsoft.Compute"
            "/virtualMachineScaleSets/aks-gpu-1-vmss/virtualMachines/3",
            "aks-gpu-1-vmss000003",
            "aks-gpu-1-vmss",
        ),
        ("gce://project/zone/gke-prod-pool-1", "gke-prod-pool-1", "gke-prod-pool-1"),
    ],
)
def test_nodes_of_clouds_find_their_resource(
    policy: Policy, provider_id: str, node: str, resource: str
) -> None:
    ids = (rule.id_of(provider_id=provider_id, node=node) for rule in policy.nodes)
    assert next(found for found in ids if found is not None) == resource


def test_what_is_commented_out_is_valid_too() -> None:
    text = TEMPLATE.read_text().replace("serving: []\n", "")
    # a comment that is a rule has a key or a list's mark behind its sign
    opened = re.sub(r"^( *)# (?=( *)(?:- \{|- match:|serving:|provider:|model:|token_kind:|tokens_per"
                    r"_unit:))", r"\1", text, flags=re.MULTILINE)  # fmt: skip
    opened = re.sub(r"^( *)#   (?=(?:provider|model|token_kind|tokens_per_unit): [^ ])",
                    r"\1  ", opened, flags=re.MULTILINE)  # fmt: skip
    policy = parse_policy(opened)
    assert len(policy.serving) == 2
    claude = policy.meters[-1]
    charge = {
        "ServiceName": "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
        "SkuMeter": "USE1-MP:USE1_InputTokenCount-Units",
    }
    assert assign(charge, policy, outside_range=False).model == claude.model
    assert len(policy.meters) == 3
