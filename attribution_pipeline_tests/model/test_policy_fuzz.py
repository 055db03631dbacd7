"""No policy file, however wrong, gives anything but a policy or one line with a place."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.model.policy_text import render, summary
from attribution_pipeline.model.yaml_lines import parse_document
from attribution_pipeline_tests.model.policies import DESIGN

_TREE = parse_document(DESIGN, "design").value


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        keys: list[Any] = list(value)
    else:
        keys = list(range(len(value))) if isinstance(value, list) else []
    inner = [place for key in keys for place in _places(value[key], (*at, key))]
    return [at, *inner] if at else inner


_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**40), 10**40),
        st.sampled_from(["", "*", "(", "x_", "Tags.", "usage.x", "100", "fixed", "none", "a|b`c"]),
        st.text(max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["match", "driver", "from", "name", "x"]), inner),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_places(_TREE)), _VALUES, st.sampled_from(["replace", "drop", "rename"]))
def test_policy_with_anything_anywhere_is_a_policy_or_one_line(
    place: tuple[Any, ...], value: Any, how: str
) -> None:
    tree = copy.deepcopy(_TREE)
    holder = tree
    for step in place[:-1]:
        holder = holder[step]
    if how == "replace":
        holder[place[-1]] = value
    elif how == "drop":
        del holder[place[-1]]
    elif isinstance(holder, dict):
        holder[f"{place[-1]}x"] = holder.pop(place[-1])
    text = json.dumps(tree, indent=1, default=str, ensure_ascii=True)
    text = re.sub(r'"(\d{4}-\d\d-\d\d|\d+\.\d+)"', r"\1", text)
    line = ""
    try:
        policy = parse_policy(text, "p")
    except Refusal as refused:
        line = refused.line()
    if line:
        assert re.fullmatch(r"p:\d+: [^\n]+; [^\n]+", line), line
        assert "Input should" not in line  # pydantic's own words name no remedy
    else:
        assert render(policy).startswith("# ")
        assert summary(policy)
        assert len(policy.digest) == 64
