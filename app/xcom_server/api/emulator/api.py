"""The control plane: its operations, and the hooks that every request runs first.

The functions of `before_request` run in the order in which they are added, and those of
`after_request` in the opposite order. So `mount` is called before anything else is added to the
application, and adds its hooks in this order:

1. the control: read the clock and the faults once, and set the clock of this thread
2. the journal: begin the record of the request; after the response, complete it
3. the faults: respond instead of the server, or change the response
4. the access to the control plane

All other hooks, such as the check of the Host, and the operations follow.
"""

from collections.abc import Callable
from functools import partial

from flask import Flask, Response, request

from xcom_server import clock
from xcom_server.api import openapi
from xcom_server.api.emulator import access, errors, injection, recording
from xcom_server.api.emulator.clock import ClockApi
from xcom_server.api.emulator.contents import ContentsApi
from xcom_server.api.emulator.control import ControlApi
from xcom_server.api.emulator.faults import FaultApi
from xcom_server.api.emulator.journal import JournalApi
from xcom_server.api.emulator.page.api import PageApi
from xcom_server.api.emulator.page.api import mount as mount_page
from xcom_server.api.emulator.validation import CHECKS, refuse_parameters, without_parameters
from xcom_server.emulator import shifts
from xcom_server.errors import Unavailable
from xcom_server.observability import request_state
from xcom_server.settings import Settings
from xcom_server.storage.emulator import NOTHING, Control, EmulatorState
from xcom_server.storage.store import XComStore

PROBES = ("/live", "/ready", "/metrics")  # that use no clock, have no faults, are not recorded

_RESOURCES = (ControlApi, ClockApi, FaultApi, JournalApi, ContentsApi, PageApi)


def mount(app: Flask, store: XComStore, state: EmulatorState, settings: Settings) -> None:
    """Add the control plane to an application, as the extension `emulator`."""
    app.extensions["emulator"] = state
    app.extensions["render_emulator_error"] = errors.render
    app.extensions["refresh_clock"] = lambda: _follow_clock(state)  # for streams
    app.before_request(lambda: _obey(state))
    recording.mount(app, state, settings.auth)
    injection.mount(app, state)
    access.mount(app, settings.emulator_token)
    mount_page(app)
    _add_operations(app, store, state, settings)


def _obey(state: EmulatorState) -> None:
    """Read what every worker obeys, and store it in the state of the request."""
    if request.path not in PROBES:
        request_state.current().control = _follow_clock(state)


def _follow_clock(state: EmulatorState) -> Control:
    """Set the clock of this thread, and return what every worker obeys.

    While the state is unavailable, there are no faults, and the clock is that of the machine.
    """
    try:
        control = state.control()
    except Unavailable:
        control = NOTHING
    clock.follow(shifts.source(control.clock))
    return control


def _add_operations(app: Flask, store: XComStore, state: EmulatorState, settings: Settings) -> None:
    handlers: dict[str, Callable[..., Response]] = {}
    for resource in _RESOURCES:
        handlers |= resource(store, state, settings).operations()
    openapi.mount(
        app,
        openapi.ApiVersion(
            name="emulator",
            airflow_version="",
            handlers=handlers,
            checks=CHECKS,
            authorize=partial(refuse_parameters, without_parameters()),
            authorize_before_validation=True,
        ),
        validate_responses=settings.validate_responses,
    )
