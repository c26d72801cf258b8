"""Tokens in responses that Airflow signs: `file_token` and the continuation tokens of logs."""

from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

# The key is not secret, because the tokens protect nothing here: the log of a try is never
# continued, and no operation takes a file token.
_serializer = URLSafeSerializer("xcom-server")


def sign(value: Any) -> str:
    """Return a token for a JSON value."""
    return str(_serializer.dumps(value))


def is_signed(token: str) -> bool:
    """Return whether `sign` made a token."""
    try:
        _serializer.loads(token)
    except BadSignature:
        return False
    return True
