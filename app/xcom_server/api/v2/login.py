"""`/auth/token`: a token for a name and a password, as Airflow 3.3.2's simple auth manager does."""

from typing import Any
from urllib.parse import parse_qs

from connexion.exceptions import ProblemException
from flask import Flask, Response, request
from pydantic_core import SchemaValidator, core_schema

from xcom_server.api import json_io
from xcom_server.api.authorization import Access
from xcom_server.api.v2.validation import (
    Error,
    InvalidRequest,
    json_body,
    json_or_text,
    missing,
    read,
)
from xcom_server.auth.users import User
from xcom_server.errors import Unauthenticated
from xcom_server.formats.strict_json import InvalidJson

CLI_SECONDS = 60 * 60
"""How long a token of /auth/token/cli is good at the most."""

FORM = "application/x-www-form-urlencoded"
FIELDS = ("username", "password")

HIDDEN = "***"
"""What stands in an error for a password."""

_LOGIN = SchemaValidator(core_schema.model_fields_schema(
    {name: core_schema.model_field(core_schema.str_schema()) for name in FIELDS},
    extra_behavior="forbid", from_attributes=True))

_MANUAL = "https://errors.pydantic.dev/2.13/v/"

MAX_SHOWN = 50
"""How much of a refused value pydantic's text repeats, in bytes of UTF-8."""


def mount(app: Flask, access: Access) -> None:
    """Route /auth/token."""
    def create_token() -> Response:
        return _answer(access, _checked(_given()), None)

    def create_token_for_cli() -> Response:
        given = json_or_text()
        errors = [missing()] if given is None else []
        if not errors:
            read(_LOGIN, given, ("body",), errors)
        if errors:
            raise InvalidRequest([_without_password(each) for each in errors])
        return _answer(access, given, CLI_SECONDS)

    def create_token_for_anybody() -> Response:
        if access.is_enforced:
            raise ProblemException(403, detail="This method is only allowed if ``[core]"
                                               " simple_auth_manager_all_admins`` is True")
        return _token(access, access.login("", ""), None)

    app.add_url_rule("/auth/token", "create_token", create_token, methods=["POST"])
    app.add_url_rule("/auth/token/cli", "create_token_cli", create_token_for_cli, methods=["POST"])
    app.add_url_rule("/auth/token", "create_token_for_anybody", create_token_for_anybody)


def _answer(access: Access, given: dict[str, str], at_most: int | None) -> Response:
    username, password = (given[name] for name in FIELDS)
    if access.is_enforced and not (username and password):
        raise ProblemException(400, detail="Username and password must be provided")
    try:
        user = access.login(username, password)
    except Unauthenticated:
        raise ProblemException(401, detail="Invalid credentials") from None
    return _token(access, user, at_most)


def _token(access: Access, user: User, at_most: int | None) -> Response:
    return json_io.compact({"access_token": access.tokens.issue(user, at_most)}, 201)


def _given() -> dict[str, Any]:
    """Return what a body says, JSON or a form; a form's other fields do not count."""
    body = json_io.read_body()
    content_type = request.headers.get("Content-Type", json_io.JSON).split(";")[0].strip()
    if content_type == FORM:
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        return {name: fields.get(name, [None])[-1] for name in FIELDS}
    if content_type != json_io.JSON:
        raise ProblemException(415, detail=f"Only {json_io.JSON} or {FORM} is supported")
    try:
        given = json_body()
    except InvalidJson:
        given = None
    if not isinstance(given, dict):
        raise ProblemException(422, detail="The body must be a JSON object of username and"
                                           " password")
    return given


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    errors: list[Error] = []
    read(_LOGIN, given, (), errors)
    if errors:
        raise ProblemException(422, detail=_in_words([_without_password(each) for each in errors]))
    return given


def _without_password(error: Error) -> Error:
    """Return an error that repeats no text that was sent, but for the name of the user.

    Whatever it was sent as, it may be a password.
    """
    place = error["loc"][-1:] if error["type"] != "missing" else []
    return error | {"input": _hidden(error["input"], *place)}


def _hidden(given: Any, name: object = None) -> Any:
    if name == "username" and isinstance(given, str):
        return given
    if isinstance(given, dict):
        return {each: _hidden(value, each) for each, value in given.items()}
    if isinstance(given, list):
        return [_hidden(each) for each in given]
    return HIDDEN if isinstance(given, str) or (name == "password" and given is not None) else given


def _in_words(errors: list[Error]) -> str:
    """Return errors as pydantic writes them down."""
    count = f"{len(errors)} validation error{'s' if len(errors) > 1 else ''} for LoginBody"
    return "\n".join([count, *map(_in_lines, errors)])


def _in_lines(error: Error) -> str:
    given = error["input"]
    shown = repr(given)
    if len(raw := shown.encode(errors="replace")) > MAX_SHOWN:
        shown = f"{raw[:25].decode(errors='ignore')}...{raw[-24:].decode(errors='ignore')}"
    place = ".".join(map(str, error["loc"]))
    return (f"{place}\n  {error['msg']} [type={error['type']}, input_value={shown},"
            f" input_type={type(given).__name__}]\n"
            f"    For further information visit {_MANUAL}{error['type']}")
