"""The owner downloads the whole database while the site goes on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.kit.desk import PASSWORD, OwnerBrowser
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor


def test_the_downloaded_file_is_the_database_and_nothing_stays_on_the_disk(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), ADMIN_PASSWORD=PASSWORD)
    alice = Visitor(site.url)
    assert alice.ask("青铜器在哪个展厅？").ok
    owner = OwnerBrowser(site).sign_in()
    assert owner.get("/admin/backup").status_code == 200
    answer = owner.post("/admin/backup")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="zhiye-')
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert not list((site.folder / "instance").glob("download*"))
    copy = site.folder / "copy.db"
    copy.write_bytes(answer.content)
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
        assert db.execute("SELECT command FROM owner_log").fetchall() == []
    assert "备份" in owner.get("/admin/log?lang=zh").text
