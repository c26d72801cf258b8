"""Hooks that apply faults: they respond instead of the server, or change its response.

A fault is counted before the request is executed, so that concurrent requests never apply it too
often. If its effect turns out to be impossible for the response, the count is taken back.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable

from connexion.exceptions import ProblemException
from flask import Flask, Response, current_app, g, request

from xcom_server import errors
from xcom_server.api.emulator import access, effects, operations
from xcom_server.emulator.faults import EFFECTS, Fault, Request
from xcom_server.observability import request_state
from xcom_server.storage.emulator import Control, EmulatorState

_SCHEMES = {"v1": "basic", "v2": "bearer"}


@runtime_checkable
class Connection(Protocol):
    """The connection to the client, as the worker of `xcom-server serve` passes it."""

    def reset(self) -> None:
        """Discard the response; the client gets a reset instead."""

    def hold(self, seconds: float) -> None:
        """Send the response later."""


class InjectedProblem(ProblemException, errors.Injected):  # type: ignore[misc]
    """An error response of a fault, which each version renders."""


def mount(app: Flask, state: EmulatorState) -> None:
    """Apply faults to the requests of an application."""
    injection = Injection(state)
    app.before_request(injection.begin)
    app.after_request(injection.finish)


def connection() -> Connection | None:
    """Return the connection of the current request, None under another WSGI server."""
    found = request.environ.get("gunicorn.socket")
    return found if isinstance(found, Connection) else None


class Injection:
    """Applies the faults of the control plane."""

    def __init__(self, state: EmulatorState) -> None:
        self._state = state
        self._parsed: tuple[Control | None, list[Fault]] = (None, [])

    def begin(self) -> Response | None:
        """Apply a fault before the request is executed; return the response if it replaces it."""
        state = request_state.current()
        if not state.control.faults or access.is_emulator_path():
            return None
        fault = self._applied(state.control)
        if fault is None:
            return None
        state.fault = fault.type
        response = _response_before(fault)
        if response is None:
            g.pending_fault = fault
        return response

    def finish(self, response: Response) -> Response:
        """Apply a fault to a response."""
        state = request_state.current()
        if not state.fault or (fault := g.pop("pending_fault", None)) is None:
            return response
        changed = _changed(response, fault)
        if changed is not None:
            return changed
        state.fault = ""
        with suppress(errors.Unavailable):
            self._state.release_fault(fault.number)
        return response

    def _applied(self, control: Control) -> Fault | None:
        """Return the first fault for the current request, counted; None if there is none.

        While the database is unavailable, there is none.
        """
        with suppress(errors.Unavailable):
            for fault in self._matching(control):
                if self._state.apply_fault(fault.number):
                    return fault
        return None

    def _matching(self, control: Control) -> Iterator[Fault]:
        wanted = Request(
            operations.current(),
            request.method,
            request.path,
            request.headers.get("User-Agent", ""),
        )
        for fault in self._faults(control):
            if fault.matches(wanted) and _is_possible(fault) and self._is_drawn(fault):
                yield fault

    def _is_drawn(self, fault: Fault) -> bool:
        return fault.match["share"] == 1 or fault.is_drawn(self._state.match_fault(fault.number))

    def _faults(self, control: Control) -> list[Fault]:
        """Return the faults of a control, which is the same object until it changes."""
        known, parsed = self._parsed
        if known is not control:
            parsed = [Fault.of(each) for each in control.faults]
            self._parsed = (control, parsed)
        return parsed


def _response_before(fault: Fault) -> Response | None:
    """Return the response of a fault that does not let the request be executed, else None.

    Raises TokenExpired if that is the fault.
    """
    effect: Mapping[str, Any] = fault.effect
    if EFFECTS[fault.type].needs_worker and connection() is None:  # created on another host
        return _rendered(501, "This fault needs `xcom-server serve`.")
    if fault.type == "expired_token":
        raise errors.TokenExpired
    if fault.type == "status" and not effect["after"]:
        return _error(fault)
    if fault.type == "reset" and not effect["after"]:
        return _reset(Response(status=500))
    if fault.type == "shifted_page":
        effects.shift_offset(effect["by"])
    return None


def _is_possible(fault: Fault) -> bool:
    """Return whether the current request can have the effect, as far as that is known yet."""
    if fault.type == "shifted_page":
        return request.method == "GET" and effects.offset() > 0
    if fault.type == "expired_token":
        scheme = request.headers.get("Authorization", "").partition(" ")[0]
        return scheme.lower() == _SCHEMES[(request.endpoint or "").partition(".")[0]]
    return True


def _changed(response: Response, fault: Fault) -> Response | None:
    """Return a response with the effect of a fault, None if that is impossible."""
    effect: Mapping[str, Any] = fault.effect
    match fault.type:
        case "status":
            return effects.replaced(response, _error(fault))
        case "reset":
            return _reset(response)
        case "latency":
            return _held(response, effect["seconds"])
        case "content_type":
            return effects.with_content_type(response, effect["value"])
        case "truncate":
            return effects.truncated(response)
        case "malformed_json":
            return effects.malformed(response)
        case "missing_total":
            return effects.with_json(response, effects.without_total)
        case "extra_field":
            add = partial(effects.with_field, effect["name"], effect["value"])
            return effects.with_json(response, add)
    return effects.with_json(response, partial(effects.with_shifted_total, effect["by"]))


def _error(fault: Fault) -> Response:
    detail = fault.effect["detail"] or f"Fault {fault.number} of the control plane."
    response = _rendered(fault.effect["status"], detail)
    if fault.effect["retry_after"] is not None:
        response.headers["Retry-After"] = str(fault.effect["retry_after"])
    return response


def _rendered(status: int, detail: str) -> Response:
    """Return an error response in the format of the request's version."""
    title = HTTPStatus(status).phrase if status in {*HTTPStatus} else "Unknown Error"
    error = InjectedProblem(status, title, detail)
    return current_app.make_response(current_app.handle_user_exception(error))


def _reset(response: Response) -> Response:
    """Reset the connection; the client does not get the response."""
    if found := connection():
        found.reset()
    return response


def _held(response: Response, seconds: float) -> Response | None:
    if response.is_streamed:
        return None
    if found := connection():
        found.hold(seconds)
    return response
