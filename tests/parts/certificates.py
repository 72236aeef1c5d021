"""Certificates of machines, signed by an authority of their own."""

import subprocess
from pathlib import Path

from tests.parts.tools import tool


def make_certificates(folder: Path, addresses: list[str]) -> dict[str, str]:
    """Make one certificate that counts for all addresses; return the variables that Ray reads."""
    openssl = tool("openssl", package="openssl")
    names = ",".join(f"IP:{address}" for address in addresses)

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes")
    run(*new, "-x509", "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    request = ("-keyout", "node.key", "-out", "node.csr")
    run(*new, "-subj", "/CN=node", "-addext", f"subjectAltName={names}", *request)
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    run("x509", "-req", "-in", "node.csr", *signed, "-copy_extensions", "copy", "-out", "node.crt")
    return {
        "RAY_USE_TLS": "1",
        "RAY_TLS_SERVER_CERT": str(folder / "node.crt"),
        "RAY_TLS_SERVER_KEY": str(folder / "node.key"),
        "RAY_TLS_CA_CERT": str(folder / "ca.crt"),
    }
