"""Dockerfile and compose.yaml, as far as they can be read without a daemon."""

import re
from typing import Any

import yaml

from chat.settings.help import published
from tests.kit.site import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SETTINGS = {name for _, name, _ in published()}


def ours() -> dict[str, dict[str, Any]]:
    """The services that are the site."""
    return {name: one for name, one in COMPOSE["services"].items() if one.get("build")}


def test_one_service_starts_alone_and_the_others_by_their_profile() -> None:
    alone = [name for name, one in COMPOSE["services"].items() if "profiles" not in one]
    assert alone == ["zhiye"]
    assert sorted(ours()) == ["first", "second", "zhiye"]
    upstreams = COMPOSE["services"]["caddy"]["environment"]["UPSTREAMS"].split()
    assert upstreams == ["first:8000", "second:8000"]


def test_our_containers_may_do_little() -> None:
    for service in ours().values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service, "the image names one, which is not root"
    *_, last = re.findall(r"^USER (\S+)$", DOCKERFILE, re.M)
    assert not last.startswith(("0", "root"))


def test_what_they_are_given_are_settings() -> None:
    for service in ours().values():
        assert set(service.get("environment", {})) <= SETTINGS
    *_, image = DOCKERFILE.split("\nFROM ")
    given = re.findall(r"\b([A-Z_]{4,})=", "".join(re.findall(r"^ENV (.*)$", image, re.M)))
    assert set(given) - {"PATH"} == {"ZHIYE_HOME", "HOST", "PORT"} <= SETTINGS


def test_nothing_but_this_machine_reaches_the_site_without_its_proxy() -> None:
    ports = {name: service["ports"] for name, service in ours().items() if "ports" in service}
    assert ports == {"zhiye": ["${PUBLISH:-127.0.0.1:8000}:8000"]}


def test_the_image_has_no_tools_to_build_or_install_with() -> None:
    build, image = DOCKERFILE.split("\nFROM ")[1:]
    assert "pip uninstall --yes pip" in build and "pip uninstall --yes pip" in image
    assert "--require-hashes" in build
    assert not re.search(r"apt-get|pip install|gcc", image)
