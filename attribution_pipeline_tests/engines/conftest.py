"""One standalone cluster for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from attribution_pipeline.attribution.day import Spark
from attribution_pipeline_tests.engines.cluster import CONF, Cluster, cluster


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and two workers."""
    with cluster(tmp_path_factory.mktemp("spark"), workers=2) as found:
        yield found


@pytest.fixture(scope="session")
def spark(standalone: Cluster) -> Spark:
    """The cluster's address, as a deployment has it."""
    return Spark(standalone.address, None, tuple(sorted(CONF.items())))
