"""What the owner is advised: cures by code, family or kind, in the log and in /readyz."""

import os
from collections.abc import Callable

import pytest
import requests

from chat.agents import cures
from chat.agents.cures import CURES
from chat.owner.doctor.words import DIAGNOSES
from emulator.accounts import DEMO
from providers.errors import AuthRejected, NotConfigured, RateLimited
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor


def test_a_cure_is_found_by_code_family_or_kind() -> None:
    unpublished = NotConfigured("no", provider="coze", code=4015)
    of_family = NotConfigured("no", provider="coze", code=720702204)
    of_kind = AuthRejected("no", provider="wenxin", code="odd")
    assert cures.cure(unpublished) == CURES["coze"]["4015"]
    assert cures.cure(of_family) == CURES["coze"]["720702"]
    assert cures.cure(of_kind) == CURES["wenxin"]["1116"]
    assert cures.cure(RateLimited("later", provider="coze", code=4013)) is None
    assert cures.cure(AuthRejected("no", provider="acme")) is None


@pytest.mark.parametrize("id", DIAGNOSES)
def test_what_is_wrong_comes_with_what_to_do(id: str) -> None:
    diagnosis = DIAGNOSES[id]
    assert diagnosis.to_do.zh or diagnosis.level == "ok"


def test_the_log_names_the_cure_in_the_owners_language(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**{**coze(emulator), "COZE_BOT_ID": "7480000000000000102"})
    assert Visitor(site.url).ask("hi").json()["code"] == "misconfigured"
    assert "4015" in site.log and "扣子 → 发布 → 勾选 API" in site.log
    assert DEMO["COZE_API_TOKEN"] not in site.log


def test_a_site_whose_database_is_broken_is_not_ready(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    assert requests.get(f"{site.url}/readyz", timeout=10).json() == {"status": "ok"}
    broken = site.folder / "broken"
    broken.write_bytes(b"this is a text and no database" * 200)
    os.replace(broken, site.folder / "instance" / "chat.db")
    answer = requests.get(f"{site.url}/readyz", timeout=10)
    assert answer.status_code == 503
    assert answer.json()["database"] in ("database_broken", "does not answer")
