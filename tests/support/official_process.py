"""A script that runs the official client installed in its environment.

Each line of input is the client's configuration, `{"host": ...}`, a tab and a call,
`{"call": "get_xcom_entry", "args": [...], "options": {...}}`; each line of output is the result or
error of that call. Clients from 3.0 on use pydantic, older ones do not.
"""

import functools
import importlib
import json
import sys
from typing import Any

from airflow_client import client
from urllib3.exceptions import HTTPError

MODULES = ("x_com_api", "dag_run_api", "task_instance_api", "dag_api")
BODIES = {
    "x_com_create_body": "XComCreateBody",
    "x_com_update_body": "XComUpdateBody",
    "trigger_dag_run_post_body": "TriggerDAGRunPostBody",
    "dag_patch_body": "DAGPatchBody",
    "dag_run": "DAGRun",
    "dag": "DAG",
}
"""Parameters of the calls of old and new clients -> their models."""


@functools.cache
def apis_of(configuration: str) -> list[Any]:
    """Return the client's APIs for a configuration, given as JSON."""
    connection = client.ApiClient(client.Configuration(**json.loads(configuration)))
    return [api_class(module)(connection) for module in MODULES]


def api_class(name: str) -> Any:
    """Return the class of a module; `dag_run_api` has DAGRunApi or DagRunApi."""
    module = importlib.import_module(f"airflow_client.client.api.{name}")
    (found,) = (each for each in vars(module) if each.lower() == name.replace("_", ""))
    return getattr(module, found)


def with_models(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a call, with bodies as the models of the client."""
    models = vars(client) | vars(importlib.import_module("airflow_client.client.models"))
    return {
        name: models[BODIES[name]](**given) if name in BODIES else given
        for name, given in options.items()
    }


def plain(result: Any) -> Any:
    """Return a result as plain data; dates of new clients are JSON strings."""
    if hasattr(result, "model_dump"):
        # an entry is wrapped in a union of two models
        return getattr(result, "actual_instance", result).model_dump(mode="json")
    return result.to_dict() if hasattr(result, "to_dict") else result


def made(apis: list[Any], call: str, args: list[Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a call as plain data, or its error with the HTTP status."""
    (method,) = (getattr(api, call) for api in apis if hasattr(api, call))
    try:
        result = method(*args, **{"_request_timeout": 20.0, **with_models(options)})
    except (client.OpenApiException, ValueError, HTTPError) as error:  # pydantic raises ValueErrors
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
    """Run the call of every line of input."""
    for line in sys.stdin:
        configuration, wanted = line.split("\t")
        # a value that JSON cannot represent is shown by its repr
        print(
            json.dumps(made(apis_of(configuration), **json.loads(wanted)), default=repr), flush=True
        )


if __name__ == "__main__":
    main()
