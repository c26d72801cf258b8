"""Airflow 3.3.2: only its api-server, with the SimpleAuthManager and a token for one user."""

import json
import secrets
from pathlib import Path

from bench.operations import V2, Request
from bench.peers import filling, serving
from bench.peers.airflow import PASSWORD, USER, Airflow

DAG_RUNS = """
    INSERT INTO dag_run (dag_id, run_id, logical_date, run_after, run_type, state, start_date,
                         end_date, queued_at, clear_number, span_status, created_dag_version_id,
                         log_template_id)
    SELECT DISTINCT instance.dag_id, run_id, date, date, 'scheduled', 'success', date, date, date,
                    0, 'not_started', dag_version.id, (SELECT max(id) FROM log_template)
    FROM instance JOIN dag_version USING (dag_id)
    ORDER BY dag_id, date"""

TASK_INSTANCES = """
    INSERT INTO task_instance (id, dag_id, task_id, run_id, map_index, state, try_number,
                               max_tries, pool, pool_slots, queue, priority_weight, operator,
                               task_display_name, start_date, end_date, dag_version_id,
                               span_status)
    SELECT gen_random_uuid(), dag_id, task_id, run_id, -1, 'success', 1, 0, 'default_pool', 1,
           'default', 1, 'EmptyOperator', task_id, date, date, dag_version.id, 'not_started'
    FROM instance JOIN dag_version USING (dag_id)
    ORDER BY number"""


class Airflow3(Airflow):
    """Airflow 3.3.2, which supports every operation in v2."""

    name = "airflow3"
    version = "3.3.2"
    base = V2
    answers = (
        "GET entry",
        "list of 100",
        "list of all, first page",
        "list of all, deep",
        "POST",
        "PATCH",
        "DELETE",
    )
    packages = ("psycopg2-binary", "asyncpg")
    operators = "airflow.providers.standard.operators.empty"
    statements = (DAG_RUNS, TASK_INSTANCES, filling.xcom("json::jsonb"))

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._secret = secrets.token_hex(32)

    def settings(self) -> dict[str, str]:
        """Set the user, the secret that all workers share, and a larger pool.

        With the default pool of 5, plus 10 overflow connections, it stalls at 32 connections.
        """
        return {
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "50",
        }

    def make_user(self) -> None:
        """Write the user's password to the file of the SimpleAuthManager."""
        self._passwords.write_text(json.dumps({USER: PASSWORD}))

    def command(self, port: int, workers: int) -> list[str]:
        """Return the arguments that start the api-server."""
        return ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)]

    def headers(self, url: str) -> dict[str, str]:
        """Return a token, which is valid for a day."""
        body = json.dumps({"username": USER, "password": PASSWORD}).encode()
        answer = serving.ask(url, Request("POST", "/auth/token", body), {})
        if answer.status != 201:
            raise ConnectionError(f"no token: {answer}")
        return {"Authorization": f"Bearer {json.loads(answer.body)['access_token']}"}

    @property
    def _passwords(self) -> Path:
        return self.home / "passwords.json"


PEER = Airflow3
