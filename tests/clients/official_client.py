"""Makes the calls it is told to with the official client of its own environment.

Each line of its input is a call, `{"call": "get_xcom_entry", "args": [...], "options": {...}}`;
each line of its output says what that call returned or raised.
"""

import json
import sys

from airflow_client import client
from airflow_client.client.api.x_com_api import XComApi


def made(api, call, args, options):
    """Return what a call gave: its result as plain data, or its error with the HTTP status."""
    try:
        result = getattr(api, call)(*args, _request_timeout=20, **options)
    except client.OpenApiException as error:
        return {"call": call, "result": None, "error": {
            "name": type(error).__name__,
            "status": getattr(error, "status", None),
            "text": getattr(error, "body", None) or str(error),
        }}
    return {"call": call, "result": result.to_dict(), "error": None}


def main():
    """Answer every line of the input."""
    configuration = client.Configuration(host=sys.argv[1])
    with client.ApiClient(configuration) as connection:
        api = XComApi(connection)
        for line in sys.stdin:
            # what a client has made of a value and JSON has no word for is shown as Python does
            print(json.dumps(made(api, **json.loads(line)), default=repr), flush=True)


if __name__ == "__main__":
    main()
