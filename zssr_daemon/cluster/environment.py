"""Environment: what Ray reads from variables, set before it is loaded; no Ray without a token."""

import importlib.metadata
import os

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.settings.schema import Settings

#: The one minor version that this program is tested with; all machines have the same.
RAY_MINOR = "2.60"

#: What a certificate for each machine is told by; see docs/cluster.md.
_TLS_FILES = ("RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")


def prepare(settings: Settings) -> Cluster:
    """Set the variables that Ray reads, and return the settings of the cluster.

    Raises:
        SettingsError: there is no cluster, no Ray, no secret token, or no certificate.
    """
    cluster = settings.cluster
    if not cluster.is_used or cluster.token_file is None:
        raise SettingsError(
            "[cluster] address and token_file are not set: name Ray's head, and the file that "
            "holds its token; docs/cluster.md says how"
        )
    _check_ray()
    cluster.check_token()
    variables = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(cluster.token_file),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_USE_TLS": "1" if cluster.tls else "0",
    }
    if cluster.tls:
        _check_tls()
    os.environ.update(variables)
    # Ray puts the current folder of this process before all others in which nodes look for code.
    os.chdir("/")
    return cluster


def _check_ray() -> None:
    cure = "pip install 'zssr-daemon[cluster]'"
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError as error:
        raise SettingsError(f"ray: not installed; {cure}") from error
    if not version.startswith(f"{RAY_MINOR}."):
        raise SettingsError(f"ray {version}: this program is made for {RAY_MINOR}; {cure}")


def _check_tls() -> None:
    for name in _TLS_FILES:
        file = os.environ.get(name, "")
        if not file or not os.access(file, os.R_OK):
            raise SettingsError(
                f"[cluster] tls = true: the variable {name} names no file that can be read; "
                "docs/cluster.md says how to make one"
            )
