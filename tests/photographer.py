"""A photographer at a running site, over the REST API."""

from typing import Any

import requests

from tests.running import Site


class Photographer:
    def __init__(self, site: Site, email: str) -> None:
        self.api = f"{site.url}/api/v1"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {site.token(email)}"

    def make_album(self) -> str:
        basis = {"basis": "explicit_consent", "attested": True}
        album: dict[str, Any] = {"title": "A", "face_search": True, "legal_basis": basis}
        made = self.session.post(f"{self.api}/albums/", json=album)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def change(self, album: str, **facts: Any) -> None:
        answer = self.session.patch(f"{self.api}/albums/{album}/", json=facts)
        assert answer.status_code == 200, answer.text

    def upload(self, album: str, files: dict[str, bytes]) -> dict[str, Any]:
        sent = [("file", (name, data)) for name, data in files.items()]
        answer = self.session.post(f"{self.api}/albums/{album}/photos/", files=sent)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def progress(self, album: str) -> dict[str, int]:
        return dict(self.session.get(f"{self.api}/albums/{album}/progress/").json())

    def has_ready(self, album: str, least: int) -> bool:
        return self.progress(album)["ready"] >= least

    def finished(self, album: str) -> dict[str, int] | None:
        numbers = self.progress(album)
        return numbers if numbers["uploaded"] + numbers["processing"] == 0 else None

    def link(self, album: str) -> str:
        return str(self.session.post(f"{self.api}/albums/{album}/links/", json={}).json()["token"])
