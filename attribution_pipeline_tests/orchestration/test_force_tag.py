"""Force is asked for in one word; anything near it is refused, not overlooked."""

from __future__ import annotations

import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.assets.ledger import FORCE, is_forced


@pytest.mark.parametrize(
    ("tags", "forced"), [({}, False), ({FORCE: "false"}, False), ({FORCE: "true"}, True)]
)
def test_force_is_the_tag_with_the_value_true(tags: dict[str, str], forced: bool) -> None:
    assert is_forced({"dagster/partition": "2026-10-05", **tags}) is forced


@pytest.mark.parametrize("value", ['"true"', "True", "yes", "1", ""])
def test_a_value_that_is_nearly_true_is_refused_with_what_to_write(value: str) -> None:
    with pytest.raises(Refusal) as refused:
        is_forced({FORCE: value})
    assert refused.value.line() == f"run tag {FORCE}: {value!r} is no answer; write true"
