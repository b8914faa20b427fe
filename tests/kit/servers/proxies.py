"""Reverse proxies in front of a site, from Debian's packages, with the files of deploy/."""

import os
import re
import shutil
import socket
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
    folder: Path
    held: tuple[socket.socket, ...]
    bundle: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str], **variables: object) -> "Proxy":
        """Starts it, and waits until the site behind it answers."""
        log = self.folder / "log.txt"
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                command, env=environment(**variables), stdout=stream, stderr=stream
            )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            assert self.process.poll() is None, log.read_text()
            try:
                if self.visitor().get("/healthz").ok:
                    return self
            except requests.ConnectionError:
                time.sleep(0.05)
        self.end()
        raise AssertionError(log.read_text())

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
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        for held in self.held:
            held.close()


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)


def nginx(folder: Path, authority: CA, *site_ports: int) -> Proxy:
    """nginx with deploy/nginx.conf before these sites; only ports and paths are others."""
    program = _find("nginx")
    bundle, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(bundle))
    pair = authority.issue_cert("localhost")
    pair.cert_chain_pems[0].write_to_path(str(certificate))
    pair.private_key_pem.write_to_path(str(key))
    held = hold_port(), hold_port()
    plain, secure = (port.getsockname()[1] for port in held)
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    changes = {
        r"(?m)^ *listen \[::\].*\n": "",
        r"listen 80;": f"listen 127.0.0.1:{plain};",
        r"listen 443 ": f"listen 127.0.0.1:{secure} ",
        r"server 127\.0\.0\.1:8000 max_fails=0;": "\n".join(
            f"server 127.0.0.1:{port} max_fails=0;" for port in site_ports
        ),
        r"ssl_certificate \S+;": f"ssl_certificate {certificate};",
        r"ssl_certificate_key \S+;": f"ssl_certificate_key {key};",
    }
    for pattern, ours in changes.items():
        text, count = re.subn(pattern, ours, text)
        assert count, f"deploy/nginx.conf has no {pattern}"
    (folder / "site.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder), encoding="utf-8")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    proxy = Proxy("nginx", f"https://localhost:{secure}", folder, held, str(bundle))
    return proxy.start(command)


def caddy(folder: Path, authority: CA, site_port: int) -> Proxy:
    """Caddy with deploy/Caddyfile as it is, and compression for everything; over plain HTTP.

    It knows of a second process, which does not run.
    """
    program = _find("caddy")
    held = hold_port(), hold_port()
    port, absent = (port.getsockname()[1] for port in held)
    url = f"http://127.0.0.1:{port}"
    upstreams = f"127.0.0.1:{absent} 127.0.0.1:{site_port}"
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    text = text.replace("\n\treverse_proxy ", "\n\tencode gzip\n\treverse_proxy ")
    (folder / "Caddyfile").write_text(CADDY + text, encoding="utf-8")
    command = [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    places = {"HOME": folder, "SITE_ADDRESS": url, "UPSTREAMS": upstreams}
    return Proxy("caddy", url, folder, held).start(command, **places)


def _find(name: str) -> str:
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if program is None and not os.environ.get("CI"):
        pytest.skip(f"needs {name}: apt-get install {name}")
    return program or name
