"""`/auth/token`: issue tokens, as in the simple auth manager of Airflow 3.3.2."""

import re
from typing import Any
from urllib.parse import parse_qs

from connexion.exceptions import ProblemException
from flask import Flask, Response, request
from pydantic_core import InitErrorDetails, SchemaValidator, ValidationError, core_schema

from xcom_server.api import json_io
from xcom_server.api.authorization import Access
from xcom_server.api.connexion_adapter import RequestError
from xcom_server.api.v2 import validation
from xcom_server.errors import Unauthenticated
from xcom_server.formats.strict_json import InvalidJson

CLI_TOKEN_SECONDS = 60 * 60  # the maximum lifetime of a token from /auth/token/cli
FORM = "application/x-www-form-urlencoded"
FIELDS = ("username", "password")

HIDDEN = "***"  # replaces passwords in error messages

_LOGIN = SchemaValidator(
    core_schema.model_fields_schema(
        {name: core_schema.model_field(core_schema.str_schema()) for name in FIELDS},
        extra_behavior="forbid",
        from_attributes=True,
    )
)

_PYDANTIC = "2.13"  # the pydantic release in the links in error messages of Airflow 3.3.2

_RELEASE_IN_LINK = re.compile(
    r"(?<=^    For further information visit https://errors\.pydantic\.dev/)[0-9.]+", re.MULTILINE
)


def mount(app: Flask, access: Access) -> None:
    """Add `/auth/token` and `/auth/token/cli` to an application.

    They return a 201 with `{"access_token": …}`. Errors: 400 for an empty name or password, 401 for
    a wrong one, 403 for a GET when authentication is on, 415 for a wrong media type, 422 for an
    invalid body, 429 after too many wrong passwords.
    """

    def create_token() -> Response:
        credentials = _json_or_form()
        if errors := _errors(credentials):
            raise ProblemException(422, detail=_as_text(errors))
        return _token_for(access, credentials, None)

    def create_token_for_cli() -> Response:
        body = validation.json_or_text()
        if errors := [validation.missing_body()] if body is None else _errors(body, "body"):
            raise validation.InvalidRequest(errors)
        return _token_for(access, body, CLI_TOKEN_SECONDS)

    def create_token_without_credentials() -> Response:
        if access.is_enforced:
            raise ProblemException(
                403,
                detail="This method is only allowed if ``[core]"
                " simple_auth_manager_all_admins`` is True",
            )
        return _token_for(access, {"username": "", "password": ""}, None)

    app.add_url_rule("/auth/token", "create_token", create_token, methods=["POST"])
    app.add_url_rule("/auth/token/cli", "create_token_cli", create_token_for_cli, methods=["POST"])
    app.add_url_rule(
        "/auth/token", "create_token_without_credentials", create_token_without_credentials
    )


def _token_for(access: Access, credentials: dict[str, str], max_seconds: int | None) -> Response:
    """Return a 201 with a token; `max_seconds` limits the configured lifetime.

    Raises ProblemException for empty or wrong credentials, and TooManyAttempts.
    """
    username, password = (credentials[name] for name in FIELDS)
    if access.is_enforced and not (username and password):
        raise ProblemException(400, detail="Username and password must be provided")
    try:
        user = access.login(username, password)
    except Unauthenticated:
        raise ProblemException(401, detail="Invalid credentials") from None
    return json_io.compact_json({"access_token": access.tokens.issue(user, max_seconds)}, 201)


def _json_or_form() -> dict[str, Any]:
    """Return the credentials in a JSON or form body.

    Other fields of a form are ignored, as in Airflow. Raises ProblemException for another media
    type, and for JSON that is not an object.
    """
    body = json_io.read_body()
    content_type = request.headers.get("Content-Type", json_io.JSON).split(";")[0].strip()
    if content_type == FORM:
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        return {name: fields.get(name, [None])[-1] for name in FIELDS}
    if content_type != json_io.JSON:
        raise ProblemException(415, detail=f"Only {json_io.JSON} or {FORM} is supported")
    try:
        data = json_io.json_body(duplicate_keys=True)
    except InvalidJson:
        data = None
    if not isinstance(data, dict):
        raise ProblemException(
            422, detail="The body must be a JSON object with username and password"
        )
    return data


def _errors(credentials: Any, *loc: str) -> list[RequestError]:
    errors: list[RequestError] = []
    validation.validate(_LOGIN, credentials, loc, errors)
    return [_redacted(each) for each in errors]


def _redacted(error: RequestError) -> RequestError:
    """Return an error in which every string of the request except the user name is hidden.

    Any other string may be a password that was sent in the wrong field.
    """
    place = error["loc"][-1:] if error["type"] != "missing" else []
    return {**error, "input": _redacted_input(error["input"], *place)}


def _redacted_input(value: Any, name: object = None) -> Any:
    if name == "username" and isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {each: _redacted_input(inner, each) for each, inner in value.items()}
    if isinstance(value, list):
        return [_redacted_input(each) for each in value]
    return HIDDEN if isinstance(value, str) or (name == "password" and value is not None) else value


def _as_text(errors: list[RequestError]) -> str:
    """Return errors as the text that pydantic writes for them."""
    details = [
        InitErrorDetails(type=each["type"], loc=tuple(each["loc"]), input=each["input"])
        for each in errors
    ]
    text = str(ValidationError.from_exception_data("LoginBody", details))
    return _RELEASE_IN_LINK.sub(_PYDANTIC, text)
