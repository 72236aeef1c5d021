"""Fixtures of the cluster's tests: one cluster of Ray for all of them, since it starts slowly."""

from collections.abc import Iterator

import pytest

from tests.parts.ray_cluster import RayCluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[RayCluster]:
    """Start a head and one node of one slot."""
    made = RayCluster()
    try:
        made.start_head()
        made.start_node(3)
        yield made
    finally:
        made.close()
