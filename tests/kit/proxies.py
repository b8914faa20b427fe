"""Reverse proxies in front of a site, from Debian's packages, with the files of deploy/."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from trustme import CA

from tests.kit.site import PATIENCE_S, ROOT, Visitor, environment, hold_port

# Around deploy/nginx.conf, as /etc/nginx/nginx.conf is; somebody has compression on for everything.
NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/1;
    uwsgi_temp_path {folder}/2;
    scgi_temp_path {folder}/3;
    gzip on;
    gzip_proxied any;
    gzip_min_length 0;
    gzip_types *;
    include {folder}/site.conf;
}}
"""
CADDY = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


@dataclass
class Proxy:
    """A proxy that listens on loopback. `bundle` is the authority of its certificate."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    bundle: str = ""

    def visitor(self, address: str = "127.0.0.1") -> Visitor:
        """A visitor whose requests come from this loopback address."""
        visitor = Visitor(self.url)
        # requests prefers a bundle that the environment names.
        visitor.session.trust_env = False
        visitor.session.verify = self.bundle or True
        for scheme in ("http://", "https://"):
            visitor.session.mount(scheme, _From(address))
        return visitor

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)


def nginx(folder: Path, site_port: int) -> Proxy:
    """nginx with deploy/nginx.conf, of which only ports and paths are others."""
    program = _find("nginx")
    certificate, key = _certificate(folder)
    with hold_port() as plain, hold_port() as secure:
        ports = plain.getsockname()[1], secure.getsockname()[1]
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^ *listen \[::\].*\n", "", text)
    text = re.sub(r"listen 80;", f"listen 127.0.0.1:{ports[0]};", text)
    text = re.sub(r"listen 443 ", f"listen 127.0.0.1:{ports[1]} ", text)
    text = text.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{site_port}")
    text = re.sub(r"ssl_certificate \S+;", f"ssl_certificate {certificate};", text)
    text = re.sub(r"ssl_certificate_key \S+;", f"ssl_certificate_key {key};", text)
    (folder / "site.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder), encoding="utf-8")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return _start(
        "nginx", folder, command, f"https://localhost:{ports[1]}", bundle=str(folder / "ca.pem")
    )


def caddy(folder: Path, site_port: int) -> Proxy:
    """Caddy with deploy/Caddyfile as it is, and compression for everything."""
    program = _find("caddy")
    with hold_port() as held:
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    text = text.replace("\n\treverse_proxy ", "\n\tencode gzip\n\treverse_proxy ")
    (folder / "Caddyfile").write_text(CADDY + text, encoding="utf-8")
    command = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    places = {"HOME": folder, "SITE_ADDRESS": url, "UPSTREAMS": f"127.0.0.1:{site_port}"}
    return _start("caddy", folder, command, url, **places)


def _find(name: str) -> str:
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if program is None and not os.environ.get("CI"):
        pytest.skip(f"needs {name}: apt-get install {name}")
    return program or name


def _certificate(folder: Path) -> tuple[Path, Path]:
    authority = CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    pair = authority.issue_cert("localhost")
    pair.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    pair.private_key_pem.write_to_path(str(folder / "key.pem"))
    return folder / "certificate.pem", folder / "key.pem"


def _start(
    name: str,
    folder: Path,
    command: list[str],
    url: str,
    bundle: str = "",
    **variables: object,
) -> Proxy:
    log = folder / "log.txt"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, env=environment(**variables), stdout=stream, stderr=stream
        )
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if requests.get(f"{url}/healthz", verify=bundle or True, timeout=5).ok:
                return Proxy(name, url, process, log, bundle)
        except requests.ConnectionError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError(log.read_text())
