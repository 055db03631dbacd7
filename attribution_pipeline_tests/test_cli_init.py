"""``attribution init``: the first policy fits what clouds put into their bills."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from attribution_pipeline.attribution.matching import assign
from attribution_pipeline.commands import init
from attribution_pipeline.model.policy import Policy, parse_policy
from attribution_pipeline.simulator.token_charges import METERS
from attribution_pipeline_tests.sources.test_vendor_costs import anthropic_page, openai_page, rows

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
        (
            {
                "ServiceName": "Amazon Elastic Container Service for Kubernetes",
                "ServiceCategory": "Compute",
                "Tags": '{"aws:eks:cluster-name": "prod"}',
            },
            "control-plane",
        ),
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


@pytest.fixture(scope="module")
def opened() -> Policy:
    """The first policy with every rule that it has as a comment."""
    text = TEMPLATE.read_text().replace("serving: []\n", "")
    # a comment that is a rule has a key or a list's mark behind its sign
    opened = re.sub(r"^( *)# (?=( *)(?:- \{|- match:|serving:|provider:|model:|token_kind:|tokens_per"
                    r"_unit:))", r"\1", text, flags=re.MULTILINE)  # fmt: skip
    opened = re.sub(r"^( *)#   (?=(?:provider|model|token_kind|tokens_per_unit): [^ ])",
                    r"\1  ", opened, flags=re.MULTILINE)  # fmt: skip
    # these two stand instead of two others
    opened = re.sub(
        r"^  (?:tenant_aliases: \{\}|dedicated: \[\]) .*\n", "", opened, flags=re.MULTILINE
    )
    opened = re.sub(r"^  # (?=tenant_aliases:|dedicated:)", "  ", opened, flags=re.MULTILINE)
    return parse_policy(opened)


def test_what_is_commented_out_is_valid_too(opened: Policy) -> None:
    assert len(opened.serving) == 2
    assert opened.tenant_alias("kube-system") == "platform"
    assert [rule.namespace for rule in opened.join.dedicated] == ["kube-system"]
    claude = opened.meters[6]
    charge = {
        "ServiceName": "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
        "SkuMeter": "USE1-MP:USE1_InputTokenCount-Units",
    }
    assert assign(charge, opened, outside_range=False).model == claude.model
    assert len(opened.meters) == 15


@pytest.mark.parametrize(
    ("sku_meter", "kind"),
    [
        ("USE1-NovaPro-input-tokens", "uncached_input"),
        ("NovaPro-output-tokens", "output"),
        ("APN1-NovaPro-input-tokens-cross-region-global", "uncached_input"),
        ("USE1-NovaPro-cache-read-input-token-count", "cache_read"),
        ("USE1-NovaPro-cache-write-input-token-count", "cache_write"),
    ],
)
def test_amazons_own_models_are_metered_as_their_calls_name_them(
    opened: Policy, sku_meter: str, kind: str
) -> None:
    charge = {"ServiceName": "Amazon Bedrock", "SkuMeter": sku_meter}
    found = assign(charge, opened, outside_range=False)
    assert (found.model, found.token_kind) == ("amazon.nova-pro-v1:0", kind)
    # AWS's price list spells its unit so
    assert opened.meters[found.meter].tokens_in("1K tokens") == 1000


def test_the_first_policy_reads_agent_and_environment_as_opentelemetry_names_them(
    policy: Policy,
) -> None:
    assert policy.join.attributes == {
        "agent": ["gen_ai.agent.name"],
        "environment": ["deployment.environment.name"],
    }
    for meter in policy.meters:
        assert meter.tokens_in("1K tokens") == 1000


def test_meters_of_vendors_take_what_pages_of_their_apis_become(opened: Policy) -> None:
    gpt = {
        "object": "organization.usage.completions.result", "model": "m-1", "input_tokens": 9,
        "input_cached_tokens": 4, "output_tokens": 5,
    }  # fmt: skip
    claude = {
        "model": "m-1", "uncached_input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 5,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    }  # fmt: skip
    pages = (
        ("openai", openai_page(json.dumps(gpt)), ["uncached_input", "cache_read", "output"]),
        (
            "anthropic", anthropic_page(claude),
            ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output"],
        ),
    )  # fmt: skip
    for provider, page, kinds in pages:
        found = [(line, assign(line, opened, outside_range=False)) for line in rows(page, provider)]
        assert [one.token_kind for _, one in found] == kinds
        assert {(one.provider, one.model) for _, one in found} == {(provider, "m-1")}
        for line, one in found:
            assert line["ConsumedUnit"] in opened.meters[one.meter].tokens_per_unit


def test_meters_of_vendors_take_a_tiers_price_and_meters_of_exports(opened: Policy) -> None:
    priority = {"InvoiceIssuerName": "OpenAI", "SkuMeter": "priority | m-1, output"}
    assert assign(priority, opened, outside_range=False).model == "m-1"
    audio = {"InvoiceIssuerName": "OpenAI", "SkuMeter": "m-1, audio input"}
    assert assign(audio, opened, outside_range=False).kind == "unmatched"
    for kind, meter in METERS["anthropic"].items():
        charge = {"InvoiceIssuerName": "Anthropic", "SkuMeter": meter.format("m-1")}
        found = assign(charge, opened, outside_range=False)
        assert (found.model, found.token_kind) == ("m-1", kind)
