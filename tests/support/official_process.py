"""Makes the calls it is told to with the official client of its own environment.

Each line of its input is the client's configuration, `{"host": ...}`, a tab and a call,
`{"call": "get_xcom_entry", "args": [...], "options": {...}}`; each line of its output says what
that call returned or raised.  Clients from 3.0 on are made with pydantic, the older ones are not.
"""

import functools
import json
import sys
from typing import Any

from airflow_client import client
from airflow_client.client.api.x_com_api import XComApi

BODIES = {"x_com_create_body": "XComCreateBody", "x_com_update_body": "XComUpdateBody"}


@functools.cache
def api_of(configuration: str) -> Any:
    """Return the client's XComApi for a configuration, given as JSON."""
    return XComApi(client.ApiClient(client.Configuration(**json.loads(configuration))))


def with_models(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a call, bodies as the models that callers of new clients write."""
    return {
        name: getattr(client, BODIES[name])(**given) if name in BODIES else given
        for name, given in options.items()
    }


def plain(result: Any) -> Any:
    """Return a result as plain data; a new client's dates are as JSON has them."""
    if hasattr(result, "model_dump"):
        # an entry comes wrapped in the two models that it could be
        return getattr(result, "actual_instance", result).model_dump(mode="json")
    return None if result is None else result.to_dict()


def made(api: Any, call: str, args: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return what a call gave: its result as plain data, or its error with the HTTP status."""
    try:
        result = getattr(api, call)(*args, _request_timeout=20.0, **with_models(options))
    except (client.OpenApiException, ValueError) as error:  # pydantic's errors are ValueErrors
        return {
            "call": call,
            "result": None,
            "error": {
                "name": type(error).__name__,
                "status": getattr(error, "status", None),
                "text": getattr(error, "body", None) or str(error),
            },
        }
    return {"call": call, "result": plain(result), "error": None}


def main() -> None:
    """Answer every line of the input."""
    for line in sys.stdin:
        configuration, wanted = line.split("\t")
        # what a client has made of a value and JSON has no word for is shown as Python does
        print(
            json.dumps(made(api_of(configuration), **json.loads(wanted)), default=repr), flush=True
        )


if __name__ == "__main__":
    main()
