"""Airflow 2.10.5: only its webserver, with Basic authentication for one user."""

from base64 import b64encode

from bench.operations import V1
from bench.peers import filling
from bench.peers.airflow import PASSWORD, USER, Airflow

DAG_RUNS = """
    INSERT INTO dag_run (dag_id, run_id, execution_date, run_type, state, external_trigger,
                         queued_at, start_date, end_date, data_interval_start, data_interval_end,
                         clear_number, log_template_id)
    SELECT DISTINCT dag_id, run_id, date, 'scheduled', 'success', false,
                    date, date, date, date, date + interval '1 day',
                    0, (SELECT max(id) FROM log_template)
    FROM instance
    ORDER BY dag_id, date"""

TASK_INSTANCES = """
    INSERT INTO task_instance (dag_id, task_id, run_id, map_index, state, try_number, max_tries,
                               pool, pool_slots, queue, priority_weight, operator,
                               task_display_name, start_date, end_date)
    SELECT dag_id, task_id, run_id, -1, 'success', 1, 0, 'default_pool', 1, 'default', 1,
           'EmptyOperator', task_id, date, date
    FROM instance
    ORDER BY number"""


class Airflow2(Airflow):
    """Airflow 2.10.5, whose v1 is read-only for entries."""

    name = "airflow2"
    version = "2.10.5"
    base = V1
    answers = ("GET entry", "list of 100", "list of all, first page", "list of all, deep")
    packages = ("psycopg2-binary",)
    operators = "airflow.operators.empty"
    statements = (DAG_RUNS, TASK_INSTANCES, filling.xcom("convert_to(json, 'UTF8')"))

    def settings(self) -> dict[str, str]:
        """Enable Basic authentication, which is off by default."""
        return {
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.providers.fab.auth_manager.api.auth"
            ".backend.basic_auth,airflow.api.auth.backend.session"
        }

    def make_user(self) -> None:
        """Create the user as Airflow's documentation describes, and the permissions of the roles.

        Otherwise the first start creates the permissions, and takes a second longer.
        """
        self.run("sync-perm")
        self.run(
            "users",
            "create",
            "--username",
            USER,
            "--password",
            PASSWORD,
            "--role",
            "Admin",
            "--firstname",
            "Ada",
            "--lastname",
            "Lovelace",
            "--email",
            "ada@example.com",
        )

    def command(self, port: int, workers: int) -> list[str]:
        """Return the arguments that start the webserver, with the API and the user interface."""
        return [
            "webserver",
            "--hostname",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            str(workers),
        ]

    def headers(self, url: str) -> dict[str, str]:
        """Return Basic credentials, which Airflow checks for every request."""
        return {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}


PEER = Airflow2
