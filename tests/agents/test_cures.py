"""Sentences for the owner: every error that only the owner can mend has its cure, in both languages."""

import os
import re
from collections.abc import Callable

import pytest
import requests

from chat.agents import cures
from chat.agents.cures import CURES, OWNERS
from chat.owner.doctor.words import DIAGNOSES
from emulator.accounts import DEMO
from providers import PLATFORMS, load
from providers.errors import AuthRejected, NotConfigured, RateLimited
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

HAN = re.compile(r"[\u4e00-\u9fff]")


def owners_codes(platform: str) -> list[str]:
    """The codes of a platform's table that stand for something only the owner can mend."""
    table = {**load(platform).ERRORS}
    if platform == "coze":
        from providers.coze.api import FAMILIES

        table |= FAMILIES
    return [str(code).split()[0] for code, kind in table.items() if issubclass(kind, OWNERS)]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_row_the_owner_can_mend_has_a_cure(platform: str) -> None:
    missing = [code for code in owners_codes(platform) if code not in CURES[platform]]
    assert not missing
    for kind in OWNERS:
        assert kind.__name__ in CURES[platform], "for what comes without a code"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_cure_is_for_a_code_that_does_not_exist(platform: str) -> None:
    kinds = {kind.__name__ for kind in OWNERS}
    ours = {"unauthorised", "unreadable_key", "invalid_client", "invalid_request"}
    ours |= {"access_deny", "unsupported_grant_type"}  # what OAuth says, and we before it is asked
    assert set(CURES[platform]) - kinds - ours == set(owners_codes(platform))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_cures_are_in_both_languages(platform: str) -> None:
    for code, cure in CURES[platform].items():
        assert len(HAN.findall(cure.zh)) > 5, code
        assert len(re.findall(r"[a-z]{2,}", cure.en)) > 5, code
        settings = re.findall(rf"{platform.upper()}_[A-Z_]+", cure.zh)
        assert sorted(set(settings)) == sorted(
            set(re.findall(rf"{platform.upper()}_[A-Z_]+", cure.en))
        )


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
