"""An emulator of Airflow's REST API for XCom entries, DAG runs, task instances and DAGs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xcom_server.testing import running as running

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `running`, which starts a server for tests, when it is first used."""
    if name != "running":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xcom_server.testing import running

    return running
