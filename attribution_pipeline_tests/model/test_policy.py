"""What one policy file says, what it may leave out, and its digest."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from attribution_pipeline.model.policy import Policy, load_policy, parse_policy
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.model.policies import DESIGN, SMALL


def test_worked_day_policy_loads_with_the_design_defaults_it_leaves_out() -> None:
    policy, digest = load_policy(WORKED_DAY / "policies" / "policy-1.yaml")
    assert (policy.policy, policy.version) == ("worked-day", 1)
    assert policy.effective_from == date(2026, 10, 1)
    assert policy.tolerance.telemetry_coverage == (Decimal("0.98"), Decimal("1.02"))
    assert [meter.token_kind for meter in policy.meters] == [
        "uncached_input", "cache_read", "output",
    ]  # fmt: skip
    assert [pool.name for pool in policy.pools] == [
        "nodes", "vectors", "support", "tax", "credits",
    ]  # fmt: skip
    assert policy.pools[0].idle is not None
    assert policy.pools[0].idle.within == "node"
    assert (policy.owners, policy.issuers) == ([], [])
    assert policy.slo.retry_chain_sample == 100
    assert digest == policy.digest
    assert len(digest) == 64


def test_the_policy_of_the_design_page_loads_whole() -> None:
    policy = parse_policy(DESIGN)
    assert policy.settlement.provisional_for == timedelta(hours=72)
    assert policy.slo.override_median == timedelta(minutes=5)
    assert policy.slo.segmentation_completeness == Decimal("0.99")
    assert policy.meters[0].tokens_per_unit == {
        "Tokens": 1, "1000 Tokens": 1000, "1M Tokens": 1_000_000,
    }  # fmt: skip
    assert policy.nodes[0].from_ == "provider_id"
    assert policy.serving[0].workload.controller == "vllm-llama-70b"
    assert policy.issuers[0].tenants == ["*"]
    assert policy.join.dedicated[0].namespace == "tenant-*"


def test_a_units_name_counts_as_written_and_else_without_regard_to_case() -> None:
    meter = (
        parse_policy(DESIGN)
        .meters[0]
        .model_copy(
            update={
                "tokens_per_unit": {"1K Tokens": Decimal(1000), "mt": Decimal(1), "MT": Decimal(2)}
            }
        )
    )
    assert meter.tokens_in("1K tokens") == 1000
    assert (meter.tokens_in("mt"), meter.tokens_in("MT")) == (1, 2)
    # two that differ in case alone and in what they say: neither is guessed
    assert meter.tokens_in("Mt") is None
    assert meter.tokens_in("Characters") is None
    assert meter.tokens_in(None) is None


def test_a_policy_of_three_keys_is_enough() -> None:
    policy = parse_policy(SMALL)
    assert policy.settlement.metric == "effective_cost"
    assert policy.join.identity[0] == "attributes"
    assert policy.tolerance.tie_out == 0
    assert policy.evidence_gap == "keep_unallocated"


def test_digest_is_over_what_is_said_and_not_over_how_it_is_laid_out() -> None:
    first = parse_policy(SMALL + "note: moved\ntolerance: {tie_out: 0.50}\n")
    again = parse_policy("# a comment\ntolerance:\n  tie_out: 0.5\nnote: 'moved'\n" + SMALL)
    assert first.digest == again.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.98, 1.02", "0.98, 1.03"), ("72h", "73h"), ("within: node", "within: cluster"),
        ("1000 Tokens: 1000,", "1000 Tokens: 1001,"),
        ("    driver: active_time", "    driver: requests"),
        ("[account, region]", "[region, account]"), ("note: GPU", "note: A GPU"),
        ("tie_out: 0", f"tie_out: 1.{'0' * 35}1"),
    ],
)  # fmt: skip
def test_digest_changes_with_anything_that_is_said(old: str, new: str) -> None:
    assert old in DESIGN
    assert parse_policy(DESIGN).digest != parse_policy(DESIGN.replace(old, new, 1)).digest


def test_published_policy_cannot_be_changed_in_memory() -> None:
    policy = parse_policy(SMALL)
    with pytest.raises(ValidationError):
        policy.version = 2


def test_policy_can_be_built_from_values_by_file_key_or_by_attribute_name() -> None:
    head = {"policy": "p", "version": 1, "effective_from": date(2026, 1, 1)}
    node = {"pattern": "(?P<id>.+)", "to": "ResourceId"}
    by_key = Policy.model_validate({**head, "nodes": [{**node, "from": "node"}]})
    by_name = Policy.model_validate({**head, "nodes": [{**node, "from_": "node"}]})
    assert by_key == by_name
    assert by_key.digest == by_name.digest


def test_tenant_alias_stands_for_its_tenant_and_others_for_themselves() -> None:
    policy = parse_policy(DESIGN)
    assert policy.tenant_alias("Acme-Inc") == "acme"
    assert policy.tenant_alias("acme") == "acme"
    assert policy.tenant_alias("globex") == "globex"


def test_owner_is_the_first_entry_whose_patterns_hold() -> None:
    owners = "owners: [{tenant: acme, workflow: 'chat-*', team: a}, {tenant: '*', team: b}]\n"
    policy = parse_policy(SMALL + owners)
    found = [
        policy.owner_of("acme", "chat-1"), policy.owner_of("acme", "batch"),
        policy.owner_of(None, None),
    ]  # fmt: skip
    assert [owner.team if owner else None for owner in found] == ["a", "b", "b"]
    assert parse_policy(SMALL).owner_of("acme", None) is None


def test_dedicated_needs_every_pattern_that_is_given() -> None:
    policy = parse_policy(SMALL + "join: {dedicated: [{namespace: 'tenant-*', pod: 'db-*'}]}\n")
    where = {"cluster": "prod", "controller": "db"}
    assert policy.is_dedicated(namespace="tenant-a", pod="db-0", **where)
    assert not policy.is_dedicated(namespace="tenant-a", pod="web-0", **where)
    assert not policy.is_dedicated(namespace="tenant-a", pod=None, **where)
