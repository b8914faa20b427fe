"""The doctor's page shows what is wrong with the running site, and its cure."""

from collections.abc import Callable

from tests.kit.desk import PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site


def test_the_owner_is_shown_what_is_wrong_and_its_cure(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    token = "pat_demo_only_that_is_refused_0123"
    settings = {**coze(emulator), "COZE_API_TOKEN": token}
    owner = OwnerBrowser(start_site(**settings, ADMIN_PASSWORD=PASSWORD)).sign_in()
    assert owner.post("/admin/doctor").headers["Location"] == "/admin/doctor?done=looked"
    page = owner.get("/admin/doctor?lang=en").text
    assert 'data-level="fail"' in page and 'class="cure"' in page and token not in page
    report = owner.get("/admin/doctor", headers={"Accept": "application/json"}).json()
    assert {"level", "title", "seen", "to_do"} == set(report["findings"][0])
    again = owner.post("/admin/doctor").headers["Location"]
    assert again == "/admin/doctor?done=looked_lately"
