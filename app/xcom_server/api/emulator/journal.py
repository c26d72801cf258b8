"""The journal: the newest requests with the verdict on each."""

from collections.abc import Callable
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server import releases
from xcom_server.api import json_io
from xcom_server.api.emulator.parameters import query_parameters
from xcom_server.emulator.judging import judge
from xcom_server.emulator.records import RequestRecord
from xcom_server.emulator.verdicts import Judgment
from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.store import XComStore

Judged = tuple[int, RequestRecord, Judgment]


class JournalApi:
    """The operations of the journal."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        self._state = state
        self._airflow_versions = tuple(releases.parse(settings.airflow_version).values())

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "list_requests": self.list_requests,
            "get_request": self.get_request,
            "clear_requests": self.clear_requests,
        }

    def list_requests(self, limit: int, after: int, **filters: Any) -> Response:
        """Return the newest requests that match, oldest first, and the number of the newest.

        `total_entries` is how many match.
        """
        judged = self.judged()
        matching = [each for each in judged if each[0] > after and matches(*each[1:], **filters)]
        return json_io.indented_json(
            {
                "requests": [_as_dict(*each) for each in matching[-limit:]],
                "total_entries": len(matching),
                "last": judged[-1][0] if judged else 0,
            }
        )

    def get_request(self, number: int) -> Response:
        """Return one request.  Raises ProblemException if it is not in the journal."""
        for each in self.judged():
            if each[0] == number:
                return json_io.indented_json(_as_dict(*each))
        raise ProblemException(404, "Not Found", f"Request {number} is not in the journal.")

    def clear_requests(self) -> Response:
        """Empty the journal."""
        self._state.clear_requests()
        return Response(status=204, mimetype=json_io.JSON)

    def judged(self) -> list[Judged]:
        """Return all requests: the verdict on one can depend on those before it."""
        requests = [
            (number, RequestRecord.from_dict(data)) for number, data in self._state.requests()
        ]
        judgments = judge(
            requests, airflow_versions=self._airflow_versions, parameters=query_parameters()
        )
        return [(number, record, judgments[number]) for number, record in requests]


def matches(
    record: RequestRecord,
    judgment: Judgment,
    client: str = "",
    operation: str = "*",
    verdict: str | None = None,
) -> bool:
    """Return whether a request matches filters.

    `client` is a part of the User-Agent in any case. `operation` is a pattern such as
    `v1.get_dag*`; without a version, it matches the operation of both.
    """
    names = (record.operation, record.operation.partition(".")[2])
    return (
        client.casefold() in record.client.casefold()
        and any(fnmatchcase(name, operation) for name in names)
        and verdict in (None, judgment.verdict)
    )


def _as_dict(number: int, record: RequestRecord, judgment: Judgment) -> dict[str, Any]:
    return {"number": number, **asdict(judgment), **record.as_dict()}
