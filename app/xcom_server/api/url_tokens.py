"""Tokens in responses that Airflow signs: `file_token` and the continuation tokens of logs."""

from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

# The key is not secret, because the tokens protect nothing here: the log of a try is never
# continued, and no operation takes a file token.
_serializer = URLSafeSerializer("xcom-server")


def sign(value: Any) -> str:
    """Return a token for a JSON value."""
    return str(_serializer.dumps(value))


def error(token: str | None) -> str | None:
    """Return Airflow's error text for a token that `sign` did not make, None for others."""
    try:
        if token:
            _serializer.loads(token)
    except BadSignature:
        return "Bad Signature. Please use only the tokens provided by the API."
    return None
