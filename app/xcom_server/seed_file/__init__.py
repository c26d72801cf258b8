"""The format of seed files; docs/seeding.md describes it.

A file is a JSON list of entries, or an object with lists of `dags`, `dag_runs` with their
`task_instances`, and `entries`.  Every row is validated before any is stored.  Unlike in a request,
a value may contain objects of Airflow's serializer, since a task can store them.
"""

from xcom_server.seed_file.fields import InvalidSeedFile
from xcom_server.seed_file.reading import counted, read
from xcom_server.seed_file.rows import ENTRY_FIELDS
from xcom_server.seed_file.writing import dag_as_row, entry_as_row, run_as_row

__all__ = [
    "ENTRY_FIELDS",
    "InvalidSeedFile",
    "counted",
    "dag_as_row",
    "entry_as_row",
    "read",
    "run_as_row",
]
