"""`zssr-daemon cluster check`, on a cluster that speaks TLS."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.certificates import make_certificates
from tests.parts.daemon_process import WAIT_S, prepare
from tests.parts.gateway_process import cluster_settings
from tests.parts.ray_cluster import RayCluster

pytestmark = pytest.mark.ray

HEAD, NODE = "127.0.1.2", "127.0.1.3"


@pytest.fixture(scope="module")
def safe_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """Start a head and a node that speak TLS alone."""
    tls = make_certificates(tmp_path_factory.mktemp("tls"), [HEAD, NODE])
    cluster = RayCluster("127.0.1", tls)
    try:
        cluster.start_head()
        cluster.start_node(3)
        yield cluster
    finally:
        cluster.close()


def begin_check(root: Path, cluster: RayCluster, *words: str) -> "subprocess.Popen[str]":
    """Start a check in a folder with settings; `words` stand before and behind `cluster check`."""
    command = [sys.executable, "-m", "zssr_daemon", *words, "--settings", "settings.toml", "--json"]
    return subprocess.Popen(
        cluster.space.command(*command),
        cwd=root,
        env=os.environ | cluster.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_safe_cluster_is_found_good_and_a_wrong_token_is_not(
    safe_cluster: RayCluster, tmp_path: Path
) -> None:
    """Every node does a tiny job; the head tells who has another token that he is not let in."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for root in (good, bad):
        root.mkdir()
        (root / "token").touch(mode=0o600)
        (root / "token").write_text("ab" * 32)
    prepare(good, more=cluster_settings(safe_cluster, tls="true"))
    prepare(bad, more=cluster_settings(safe_cluster, tls="true", token_file='"token"'))
    refused = begin_check(bad, safe_cluster, "cluster", "check")
    told, _ = begin_check(good, safe_cluster, "check").communicate(timeout=WAIT_S)
    found = {each["name"]: each for each in json.loads(told)["checks"]}
    names = ("token", "tls", "versions", "head")
    of_cluster = [found[f"cluster {name}"] for name in names] + [found[f"node {NODE}"]]
    assert [each for each in of_cluster if not each["is_good"]] == []
    assert found["cluster tls"]["message"] == "on"
    assert "a tiny job took" in found[f"node {NODE}"]["message"]
    told, _ = refused.communicate(timeout=WAIT_S)
    last = json.loads(told.splitlines()[-1])
    assert (refused.returncode, last["name"], last["is_good"]) == (1, "cluster head", False)
    assert "has token_file the token of the head" in last["message"]
