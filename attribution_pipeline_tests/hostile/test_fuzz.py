"""A slice of ``make fuzz``: no parser of outside bytes crashes, hangs or takes damage for evidence."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution_pipeline_tests.hostile.mutations import mutate
from attribution_pipeline_tests.hostile.targets import TARGETS

SEEDED_INPUTS = 150
DRAWN_INPUTS = 25


@pytest.mark.parametrize("name", TARGETS)
def test_parser_keeps_its_promises_on_damaged_objects(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    for data in seeds:
        target.run(data)
    rng = random.Random(name)
    for _ in range(SEEDED_INPUTS):
        target.run(mutate(rng, seeds))


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=DRAWN_INPUTS, deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(rng=st.randoms(use_true_random=False), data=st.binary(max_size=200))
def test_parser_keeps_its_promises_on_what_hypothesis_draws(
    name: str, rng: random.Random, data: bytes
) -> None:
    """Fewer, but what is found is made as small as it gets."""
    target = TARGETS[name]
    target.run(data)
    target.run(mutate(rng, target.seeds()))


def test_every_reader_of_landing_is_fuzzed() -> None:
    from attribution_pipeline.sources.landing import KINDS

    tried = {"focus-csv": "billing", "otlp": "spans"}
    assert {tried.get(name, name) for name in TARGETS} >= set(KINDS)
