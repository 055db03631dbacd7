"""A policy written as a file again reads back as the same policy, to the digest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.model.policy_file import policy_text
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.model.policies import DESIGN, SMALL

WORKED = (WORKED_DAY / "policies" / "policy-1.yaml").read_text()


@pytest.mark.parametrize("text", [SMALL, DESIGN, WORKED])
def test_a_policy_reads_back_from_its_own_text(text: str) -> None:
    policy = parse_policy(text)
    assert parse_policy(policy_text(policy)).digest == policy.digest
    assert parse_policy(policy_text(policy, "a heading: with # signs")) == policy


def test_the_text_is_what_a_person_would_write() -> None:
    text = policy_text(parse_policy(WORKED), "restored")
    assert text.startswith(
        "# restored\npolicy: worked-day\nversion: 1\neffective_from: 2026-10-01\n"
    )
    assert "  provisional_for: 3d\n" in text
    assert "pools:\n  - name: nodes\n    match:\n      ServiceCategory: Compute\n" in text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_tenant_name_survives(name: str) -> None:
    import json

    text = json.dumps(name)  # escapes as YAML reads them, but for characters beyond the BMP
    if any(ord(letter) > 0xFFFF for letter in name):
        text = '"' + "".join(f"\\U{ord(letter):08x}" for letter in name) + '"'
    pool = f"pools: [{{name: a, match: {{SkuId: x}}, driver: fixed, fixed: {{{text}: 100}}}}]\n"
    policy = parse_policy(SMALL + pool)
    assert parse_policy(policy_text(policy)).pools[0].fixed == {name: 100}


@pytest.mark.parametrize(
    "word", ["true", "null", "~", "2026-10-05", "0123", "1e5", "-", "a: b", "# x", "*", "- a"]
)
def test_text_that_looks_like_something_else_stays_text(word: str) -> None:
    pool = f"pools: [{{name: a, match: {{SkuId: '{word}'}}, driver: even}}]\n"
    policy = parse_policy(SMALL + pool)
    assert parse_policy(policy_text(policy)).pools[0].match == {"SkuId": word}
