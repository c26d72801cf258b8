"""The role matrix: every operation of both documents as every user, over HTTP."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
from xcom_server.auth.users import Role

from tests.attack.requests_made import basic
from tests.attack.users import LIMITED, MINE, THEIRS, token
from tests.support import any_operation
from tests.support.documents import VERSIONS, is_guarded, operations

ANONYMOUS, WRONG = "nobody", "wrong password"
REFUSALS = {401, 403, 429}
USERS = (ANONYMOUS, WRONG, "pub", *Role, LIMITED)


@dataclass
class Matrix:
    """The number of checks, and those that failed."""

    checks: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Called:
    """An operation on a DAG."""

    version: str
    path: str
    method: str
    name: str
    dag_id: str

    def __str__(self) -> str:
        return f"{self.version} {self.name} on {self.dag_id}"


class LiveClient:
    """The part of Flask's test client that `any_operation.request` uses, over HTTP."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers)

    def open(self, path: str, method: str, query_string: Any, json: Any) -> requests.Response:
        """Send a request."""
        return self._session.request(
            method, self._url + path, params=query_string, json=json, timeout=60
        )


def check(url: str, port: int) -> Matrix:
    """Send every operation as every user, on DAGs that the limited user may see and may not."""
    matrix = Matrix()
    for version in VERSIONS:
        for user in USERS:
            client = LiveClient(url, _credentials(port, version, user))
            for path, method, operation in operations(version):
                if is_guarded(version, operation):
                    for dag_id in (MINE[0], THEIRS[0]):
                        called = Called(version, path, method, operation["operationId"], dag_id)
                        _check_one(matrix, client, called, user)
    return matrix


def _check_one(matrix: Matrix, client: Any, called: Called, user: str) -> None:
    answer = any_operation.request(client, called.version, called.name, called.dag_id)
    status = answer.status_code
    matrix.checks += 1
    matrix.statuses[status] += 1
    allowed = REFUSALS if user == WRONG else {_refusal(called, user)}
    if status >= 500 or (status if status in REFUSALS else None) not in allowed:
        matrix.findings.append(f"{called} as {user}: {status} instead of {allowed}")
    if user == LIMITED and status not in REFUSALS and any(each in answer.text for each in THEIRS):
        matrix.findings.append(f"{called} as {user} shows another DAG")


def _refusal(called: Called, user: str) -> int | None:
    """Return the status of a request that is refused, None for one that is allowed."""
    if user == ANONYMOUS:
        return 401
    role = {LIMITED: Role.USER, "pub": Role.PUBLIC}.get(user) or Role(user)
    reads = called.method == "get" or called.name.startswith("get_")
    if not (role.may_read if reads else role.may_write):
        return 403
    # A list of several DAGs shows those of the user; a request for another DAG is refused.
    is_of_one_dag = "{dag_id}" in called.path and not called.name.endswith("_batch")
    return 403 if user == LIMITED and called.dag_id not in MINE and is_of_one_dag else None


def _credentials(port: int, version: str, user: str) -> dict[str, str]:
    if user == ANONYMOUS:
        return {}
    if user == WRONG:
        # Wrong passwords for a user who exists would delay the later requests of that user.
        return dict([basic("ghost", "wrong") if version == "v1" else ("Authorization", "Bearer x")])
    if version == "v1":
        return dict([basic(user, user)])
    return {"Authorization": f"Bearer {token(port, user)}"}
