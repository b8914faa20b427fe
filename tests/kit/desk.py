"""The owner as tests know one: comes by the link of the start, and is signed in."""

import re
from dataclasses import dataclass, field

import requests

from tests.kit.site import Site

PASSWORD = "brass lantern over the quay"
HTML = {"Accept": "text/html"}


@dataclass
class OwnerBrowser:
    """A browser of the owner's: keeps its cookies, and asks for pages."""

    site: Site
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **options: object) -> requests.Response:
        return self._send("GET", path, **options)

    def post(self, path: str, **options: object) -> requests.Response:
        return self._send("POST", path, **options)

    def _send(self, method: str, path: str, **options: object) -> requests.Response:
        settings = {"headers": HTML, "allow_redirects": False, "timeout": 30, **options}
        return self.session.request(method, self.site.url + path, **settings)  # type: ignore[arg-type]

    def sign_in(self, password: str = PASSWORD) -> "OwnerBrowser":
        """Signs in, or fails."""
        response = self.post("/admin/sign-in", data={"password": password})
        assert response.status_code == 303, response.text
        return self


def links(site: Site) -> list[str]:
    """The keys of the links that the terminal has shown, the newest last."""
    return re.findall(r"/admin/welcome\?key=([\w-]+)", site.log)


def owner_of(site: Site) -> OwnerBrowser:
    """The owner of a site without a password, who has just chosen one by the link."""
    owner = OwnerBrowser(site)
    form = {"key": links(site)[-1], "password": PASSWORD, "again": PASSWORD}
    response = owner.post("/admin/welcome", data=form)
    assert response.status_code == 303, response.text
    return owner
