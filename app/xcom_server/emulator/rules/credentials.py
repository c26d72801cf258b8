"""Rules about credentials: v1 has Basic ones, v2 a token from /auth/token."""

from xcom_server.emulator.rules.exchange import PUBLIC, TOKENS, Exchange
from xcom_server.emulator.rules.rule import Advice, Journal, Level, Rule

_LOGIN = 'POST /auth/token with the JSON body {"username": "NAME", "password": "PASSWORD"}'
_BASIC = "with the header Authorization: Basic BASE64(NAME:PASSWORD)"
_BEARER = "with the header Authorization: Bearer TOKEN"


def _is_protected(exchange: Exchange) -> bool:
    return exchange.version in ("v1", "v2") and exchange.name not in ("", *PUBLIC)


def _logged_in(exchange: Exchange) -> str:
    """Return the request with the credentials of its version."""
    names = [name for name, _ in exchange.parameters if name.lower() in TOKENS]
    request = exchange.request(query=exchange.without(*names))
    if exchange.version == "v1":
        return f"{request} {_BASIC}"
    return f"{_LOGIN}, then {request} {_BEARER}"


def _no_credentials(exchange: Exchange, _: Journal) -> Advice | None:
    record = exchange.record
    if not _is_protected(exchange) or record.authorization or "Cookie" in record.headers:
        return None
    return Advice(
        "The request has no credentials. A real Airflow refuses it with a 401 or a 403.",
        _logged_in(exchange),
    )


def _session_cookie(exchange: Exchange, _: Journal) -> Advice | None:
    record = exchange.record
    if not _is_protected(exchange) or record.authorization or "Cookie" not in record.headers:
        return None
    return Advice(
        "The request has a cookie but no Authorization header. A real Airflow accepts only the"
        " cookie of its own login page, and this server has no such page.",
        _logged_in(exchange),
    )


def _basic_on_v2(exchange: Exchange, _: Journal) -> Advice | None:
    if not (exchange.version == "v2" and _is_protected(exchange)):
        return None
    if exchange.record.authorization != "basic":
        return None
    return Advice(
        "The request sends a name and a password (Basic) to v2. Airflow 3 refuses it with 401 Not"
        " authenticated: v2 requires a token from /auth/token.",
        _logged_in(exchange),
    )


def _bearer_on_v1(exchange: Exchange, _: Journal) -> Advice | None:
    if not (exchange.version == "v1" and _is_protected(exchange)):
        return None
    if exchange.record.authorization != "bearer":
        return None
    v2 = exchange.request(exchange.record.path.replace("/api/v1", "/api/v2", 1))
    return Advice(
        "The request sends a token (Bearer) to v1. Airflow 2 refuses it with a 401: v1 requires"
        " Basic credentials. Airflow 3, which has tokens, has no v1.",
        f"{_logged_in(exchange)}; or for Airflow 3, {v2} {_BEARER}",
    )


def _unknown_scheme(exchange: Exchange, _: Journal) -> Advice | None:
    if not _is_protected(exchange) or exchange.record.authorization in ("", "basic", "bearer"):
        return None
    return Advice(
        "The Authorization header has a scheme that is neither Basic nor Bearer. This server does"
        " not support it, and Airflow only with a special configuration. A token is sent as"
        " `Bearer TOKEN`, not as `TOKEN`.",
        _logged_in(exchange),
    )


def _invalid_token(exchange: Exchange, _: Journal) -> Advice | None:
    is_empty = exchange.record.status == 401 and exchange.error == "Not authenticated"
    is_empty = is_empty and exchange.version == "v2" and exchange.record.authorization == "bearer"
    if not is_empty and "Invalid JWT token" not in exchange.error:
        return None
    return Advice(
        "The token is not one of this server: it is empty or malformed, or another server or an"
        " earlier start signed it.",
        _logged_in(exchange),
    )


def _token_not_renewed(exchange: Exchange, journal: Journal) -> Advice | None:
    if exchange.record.status != 401 or "Token Expired" not in exchange.record.response:
        return None
    if any(_has_new_token(each, exchange) for each in journal.later(exchange)):
        return None
    return Advice(
        "The token has expired, and this client has not requested a new one since.",
        _logged_in(exchange),
    )


def _has_new_token(later: Exchange, expired: Exchange) -> bool:
    """Return whether a later request shows that the client has a new token.

    It may have been requested with another User-Agent.  After a fault the old token is accepted.
    """
    record = later.record
    is_accepted = record.status not in (401, 403) and not (record.fault or expired.record.fault)
    has_token = record.authorization == "bearer" and later.version == "v2" and _is_protected(later)
    return later.name == "create_token" or (has_token and is_accepted)


def _login_request(exchange: Exchange, _: Journal) -> Advice | None:
    if not exchange.name.startswith("create_token") or exchange.record.status not in (400, 422):
        return None
    if "username" in exchange.record.body and "password" in exchange.record.body:
        return None
    return Advice(
        "The login has no name and password in its body. /auth/token reads neither the"
        " Authorization header nor the query.",
        _LOGIN,
    )


def _login_without_credentials(exchange: Exchange, _: Journal) -> Advice | None:
    if exchange.name != "create_token_without_credentials":
        return None
    return Advice(
        "GET /auth/token returns a token only if every visitor is an admin. Other configurations"
        " of Airflow refuse it.",
        _LOGIN,
    )


RULES = (
    Rule(
        "no-credentials",
        Level.LENIENT,
        "The request has no credentials, which only this server accepts, with `XCOM_AUTH=none`.",
        _no_credentials,
        explains=(401, 403),
    ),
    Rule(
        "session-cookie",
        Level.LENIENT,
        "The request has a cookie in place of credentials.",
        _session_cookie,
        explains=(401, 403),
    ),
    Rule(
        "basic-on-v2",
        Level.LENIENT,
        "Basic credentials are sent to v2, which requires a token.",
        _basic_on_v2,
        explains=(401, 403),
    ),
    Rule(
        "bearer-on-v1",
        Level.LENIENT,
        "A token is sent to v1, which requires Basic credentials.",
        _bearer_on_v1,
        explains=(401, 403),
    ),
    Rule(
        "unknown-scheme",
        Level.LENIENT,
        "The Authorization header is neither Basic nor Bearer.",
        _unknown_scheme,
        explains=(401, 403),
    ),
    Rule(
        "invalid-token",
        Level.REFUSED,
        "The token is empty or malformed, or another server signed it.",
        _invalid_token,
    ),
    Rule(
        "token-not-renewed",
        Level.REFUSED,
        "The token has expired, and the client does not request a new one.",
        _token_not_renewed,
        after_faults=True,
    ),
    Rule(
        "login-request",
        Level.REFUSED,
        "The name and the password are not in the body of the request to `/auth/token`.",
        _login_request,
    ),
    Rule(
        "login-without-credentials",
        Level.LENIENT,
        "A token is requested with GET, without a name and a password.",
        _login_without_credentials,
    ),
)
