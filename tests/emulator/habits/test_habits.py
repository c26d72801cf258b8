"""What public clients do, sent to a server, gets the verdicts that a person would give."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.live_server import LiveServer

FOLDER = Path(__file__).parent
HABITS = yaml.safe_load((FOLDER / "habits.yaml").read_text(encoding="utf-8"))
SEED = json.loads((FOLDER / "seed.json").read_text(encoding="utf-8"))
USER = {"username": "ann", "password": "ann"}
FIELDS = {"send", "json", "auth", "keep", "repeat", "status", "verdict", "findings"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server with the emulator that checks the kind of credentials."""
    folder = tmp_path_factory.mktemp("habits")
    key = str(folder / "token.key")
    with LiveServer(
        folder, XCOM_EMULATOR="true", XCOM_AUTH="any", XCOM_TOKEN_KEY_FILE=key
    ) as server:
        yield server


class Client:
    """A client with a session of its own; `sent` are the requests that the journal has."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._names: dict[str, Any] = {}
        self.sent: list[dict[str, Any]] = []

    def control(self, method: str, path: str, **options: Any) -> Any:
        """Send a request to the control plane; return what the response has."""
        answer = requests.request(method, f"{self._url}/_emulator{path}", timeout=30, **options)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def log_in(self) -> None:
        answer = requests.post(f"{self._url}/auth/token", json=USER, timeout=30)
        self._names["token"] = answer.json()["access_token"]

    def send(self, step: dict[str, Any]) -> None:
        """Send the request of a step, as often as it is repeated."""
        method, _, target = step["send"].partition(" ")
        target = re.sub(r"\{(\w+)\}", lambda name: str(self._names[name[1]]), target)
        headers = self._credentials(step.get("auth"), target)
        for _ in range(step.get("repeat", 1)):
            answer = self._session.request(
                method, self._url + target, json=step.get("json"), headers=headers, timeout=30
            )
            assert answer.status_code == step.get("status", 200), answer.text
            if not target.startswith("/_emulator"):
                self.sent.append(step)
        for name, member in step.get("keep", {}).items():
            self._names[name] = answer.json()[member]

    def _credentials(self, auth: str | None, target: str) -> dict[str, str]:
        auth = auth or {"/api/v1": "basic", "/api/v2": "token"}.get(target[:7], "none")
        basic = {"Authorization": "Basic YW5uOmFubg=="}
        token = {"Authorization": f"Bearer {self._names['token']}"}
        return {"none": {}, "basic": basic, "token": token}[auth]


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit["habit"][:60])
def test_habit(live: LiveServer, habit: dict[str, Any]) -> None:
    client = Client(live.url)
    client.control("POST", "/reset")
    client.control("POST", "/seed", json=SEED)
    client.log_in()
    client.control("DELETE", "/requests")
    for step in habit["requests"]:
        assert step.keys() <= FIELDS
        client.send(step)

    found = client.control("GET", "/requests")["requests"]
    assert [verdict_of(each) for each in found] == [
        (each.get("verdict", "conforms"), each.get("findings", [])) for each in client.sent
    ]


def verdict_of(request: dict[str, Any]) -> tuple[str, list[str]]:
    return request["verdict"], [each["rule"] for each in request["findings"]]


def test_there_are_at_least_twenty_habits() -> None:
    assert len({each["habit"] for each in HABITS}) >= 20
