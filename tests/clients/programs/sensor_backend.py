"""A back end that runs its jobs in Airflow: a DAG run for each job, named after the job."""

import ast
import os
import time
from dataclasses import dataclass
from urllib.parse import quote

import requests


@dataclass
class Job:
    id: str
    state: str

    @property
    def is_done(self) -> bool:
        return self.state in ("success", "failed")


class AirflowBackend:
    def __init__(self, url: str, user: str, password: str, dag_id: str) -> None:
        self.runs = f"{url}/api/v1/dags/{dag_id}/dagRuns"
        self.session = requests.Session()
        self.session.auth = (user, password)

    def submit(self, job_id: str, **conf) -> bool:
        """Start a job. Return False if it was started before."""
        response = self.session.post(self.runs, json={"dag_run_id": job_id, "conf": conf})
        if response.status_code == 409:
            return False
        response.raise_for_status()
        return True

    def poke(self, job_id: str) -> Job:
        response = self.session.get(f"{self.runs}/{quote(job_id, safe='')}")
        response.raise_for_status()
        return Job(job_id, response.json()["state"])

    def wait(self, job_id: str, poke_interval: float, timeout: float = 300) -> Job:
        started = time.monotonic()
        while not (job := self.poke(job_id)).is_done:
            if time.monotonic() - started > timeout:
                raise TimeoutError(job_id)
            time.sleep(poke_interval)
        return job

    def latest(self, state: str, limit: int = 10) -> list[str]:
        params = {"state": state, "order_by": "-start_date", "limit": limit}
        response = self.session.get(self.runs, params=params)
        response.raise_for_status()
        return [run["dag_run_id"] for run in response.json()["dag_runs"]]

    def scores(self, job_id: str) -> dict[int, dict]:
        """Return what each instance of the mapped task returned, by its index."""
        task = f"{self.runs}/{quote(job_id, safe='')}/taskInstances/score"
        response = self.session.get(f"{task}/listMapped", params={"state": "success"})
        response.raise_for_status()
        found = {}
        for instance in response.json()["task_instances"]:
            index = instance["map_index"]
            entry = self.session.get(
                f"{task}/xcomEntries/return_value", params={"map_index": index}
            )
            entry.raise_for_status()
            found[index] = ast.literal_eval(entry.json()["value"])
        return found

    def forget(self, job_id: str) -> None:
        self.session.delete(f"{self.runs}/{quote(job_id, safe='')}").raise_for_status()


def main() -> None:
    backend = AirflowBackend(
        os.environ["AIRFLOW_URL"],
        os.environ["AIRFLOW_USER"],
        os.environ["AIRFLOW_PASSWORD"],
        "scoring",
    )
    poke_interval = float(os.environ.get("POLL_SECONDS", "5"))
    for job_id in ("job-1", "job-2", "job-1"):
        print(job_id, "started" if backend.submit(job_id, model="small") else "is there already")
    for job_id in ("job-1", "job-2"):
        print(job_id, backend.wait(job_id, poke_interval).state)
    print("finished:", *backend.latest("success"))
    for index, score in sorted(backend.scores("job-1").items()):
        print(index, score)
    for job_id in ("job-1", "job-2"):
        backend.forget(job_id)
    print("left:", len(backend.latest("success")))


if __name__ == "__main__":
    main()
