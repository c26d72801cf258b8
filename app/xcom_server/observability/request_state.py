"""The state of the current request, which logs, metrics and the API share."""

import re
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import g, request

from xcom_server.storage.emulator import NOTHING, Control

REQUEST_ID_HEADER = "X-Request-Id"  # the client's id if it is valid, otherwise a generated one
UNPARSED = object()  # the `json` of a body that was not parsed yet; None is the JSON `null`
_VALID_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(slots=True)
class RequestState:
    """The state of one request.

    `started` is in seconds of `time.perf_counter()`.  `body` is None until the body is read, and
    `json` is UNPARSED until it is parsed.  Authorization sets `user_name` and `visible_dag_ids`,
    the DAGs that the user can access, None for all DAGs; until then the set is empty.  `reserved`
    is the memory in bytes that the request has reserved for large JSON.  `control` is what the
    emulator's control plane had at the start of the request, and `fault` names the effect of its
    fault that was applied, empty for none.
    """

    request_id: str
    started: float
    user_name: str | None = None
    visible_dag_ids: frozenset[str] | None = frozenset()
    body: bytes | None = None
    json: Any = UNPARSED
    reserved: int = 0
    control: Control = NOTHING
    fault: str = ""


def current() -> RequestState:
    """Return the state of the current request; the first call creates it and sets `started`."""
    try:
        return g.request_state  # type: ignore[no-any-return]
    except AttributeError:
        client_id = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = client_id if _VALID_ID.fullmatch(client_id) else uuid4().hex
        g.request_state = state = RequestState(request_id, time.perf_counter())
        return state
