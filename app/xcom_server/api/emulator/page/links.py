"""Links between the views of the page, which are relative."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from xcom_server.storage.models import XComKey

KEY = ("dag_id", "run_id", "task_id", "map_index", "key")  # the fields of XComKey


def link(path: str, values: Mapping[str, object]) -> str:
    """Return a path with a query of the values that are not empty."""
    given = {name: str(value) for name, value in values.items() if value not in ("", None)}
    query = urlencode(given, errors="surrogatepass")
    return f"{path}?{query}" if query else path or "./"


def to_entry(key: XComKey) -> str:
    """Return the link from the list of entries to one of them."""
    ids = {name: getattr(key, name) for name in KEY}
    return link("entry", ids)


def in_api(version: str, key: XComKey, query: str) -> str:
    """Return the path and the query of an entry in the API."""
    dag, run, task, name = (
        quote(each, safe="") for each in (key.dag_id, key.run_id, key.task_id, key.key)
    )
    path = f"/api/{version}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/{name}"
    parameters = [query] if query else []
    if key.map_index >= 0:
        parameters.insert(0, f"map_index={key.map_index}")
    return f"{path}?{'&'.join(parameters)}" if parameters else path
