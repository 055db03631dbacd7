"""The reference pages of files that people write have every key of the models, each with its meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from attribution_pipeline.config import Deployment
from attribution_pipeline.model.policy import Policy, parse_policy
from attribution_pipeline.model.policy.charges import DRIVERS
from attribution_pipeline.model.policy.join import IdentityStep
from attribution_pipeline.model.policy_words import IDENTITY_STEPS
from attribution_pipeline.model.strict import Strict
from attribution_pipeline.model.tokens import KINDS
from attribution_pipeline_tests.cases import REPOSITORY
from attribution_pipeline_tests.model.policies import DESIGN

REFERENCE = REPOSITORY / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "root"), [("policy-file.md", Policy), ("deployment-file.md", Deployment)]
)
def test_every_key_is_on_the_page_with_its_meaning(page: str, root: type[Strict]) -> None:
    tables = [_rows(part) for part in (REFERENCE / page).read_text().split("\n## ")]
    for model in set(_models(root)):
        keys = [info.alias or name for name, info in model.model_fields.items()]
        (meanings, *_) = [rows for rows in tables if list(rows) == keys] or [{}]
        assert list(meanings) == keys, model.__name__
        for key, meaning in meanings.items():
            assert len(meaning.split()) > 1 or meaning == "Bills.", (model.__name__, key)


def test_every_word_that_a_rule_may_use_is_on_the_page() -> None:
    text = (REFERENCE / "policy-file.md").read_text()
    for word in (*KINDS, *DRIVERS, "usage.<metric>", *IDENTITY_STEPS):
        assert f"| `{word}` |" in text, word
    assert list(IDENTITY_STEPS) == list(get_args(IdentityStep))


def test_what_is_said_of_a_key_moves_no_digest() -> None:
    digest = "00291d171bc6c299136ede3e2956a1b8e3cab9b0a59dd43424f68960a7b6e305"
    assert parse_policy(DESIGN).digest == digest


def _rows(section: str) -> dict[str, str]:
    """Key to meaning of a section's first table of keys."""
    _, _, table = section.partition(
        "| key | takes | default | meaning |\n| --- | --- | --- | --- |\n"
    )
    lines = table.partition("\n\n")[0].splitlines()
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]
    return {key.strip("`"): meaning for key, _, _, meaning in cells}


def _models(root: type[Strict]) -> Iterator[type[Strict]]:
    yield root
    for info in root.model_fields.values():
        for part in _flat(info.annotation):
            if isinstance(part, type) and issubclass(part, Strict):
                yield from _models(part)


def _flat(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _flat(part)
