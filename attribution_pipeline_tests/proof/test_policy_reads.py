"""Which planes two versions read otherwise: a plane is theirs alone as soon as one key of it differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from attribution_pipeline.model.policy import Policy, parse_policy
from attribution_pipeline.proof.policy_reads import read_otherwise

BASE = """\
policy: p
version: 1
effective_from: 2026-10-01
join:
  attributes: {tenant_id: [app.tenant]}
  tenant_label: tenant
settlement: {provisional_for: 72h}
"""


def version(old: str = "", new: str = "") -> Policy:
    assert old in BASE
    return parse_policy(BASE.replace(old, new, 1) if old else BASE + new)


@pytest.mark.parametrize(
    ("old", "new", "planes"),
    [
        ("[app.tenant]", "[app.other]", {"operations"}),
        ("  tenant_label", "  identity: [attributes, ancestor]\n  tenant_label", {"operations"}),
        ("  tenant_label", "  tenant_aliases: {a: acme}\n  tenant_label", {"operations"}),
        ("", 'issuers: [{services: ["gateway"], keys: ["gw-*"]}]\n', {"operations"}),
        ("tenant_label: tenant", "tenant_label: owner", {"kubernetes"}),
        ("72h", "24h", {"closes"}),
        ("version: 1", "version: 2", set()),
    ],
)
def test_what_a_version_reads_otherwise(old: str, new: str, planes: set[str]) -> None:
    assert read_otherwise(version(), version(old, new)) == planes


def test_no_key_of_join_but_those_of_routes_is_forgotten() -> None:
    text = Path(__file__).parents[2] / "attribution_pipeline" / "proof" / "policy_reads.py"
    said = text.read_text(encoding="utf-8")
    named = {name for name in type(version().join).model_fields if f"join.{name}" in said}
    assert set(type(version().join).model_fields) - named == OF_THE_DIVISION


OF_THE_DIVISION = {
    "contract",
    "window",
    "direction",
    "route_keys",
    "dedicated",
    "tenant_tag",
    "label_precedence",
}
"""Keys of ``join`` that no plane reads: what they say is read when a day is divided."""
