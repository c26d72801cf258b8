"""Where logs come from, as both versions of the API describe it."""

from xcom_server.storage.task_instances import TaskKey

LOGS_FOLDER = "/opt/airflow/logs"
NO_LOG = "Nothing was executed, and the seed file and the script have no log of this try."


def file(key: TaskKey, try_number: int) -> str:
    """Return the file from which Airflow would have read the log of a try."""
    index = "" if key.map_index < 0 else f"map_index={key.map_index}/"
    return (
        f"{LOGS_FOLDER}/dag_id={key.dag_id}/run_id={key.run_id}/task_id={key.task_id}/"
        f"{index}attempt={try_number}.log"
    )
