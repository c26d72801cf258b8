"""Import three tables at once, each with a DAG run of its own."""

import asyncio
import os
import uuid

import httpx

POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "5"))
TERMINAL = {"success", "failed"}


async def login(client: httpx.AsyncClient) -> str:
    response = await client.post(
        "/auth/token",
        json={
            "username": os.environ["AIRFLOW_USER"],
            "password": os.environ["AIRFLOW_PASSWORD"],
        },
    )
    response.raise_for_status()
    return response.json()["access_token"]


async def import_table(client: httpx.AsyncClient, table: str) -> dict:
    run_id = f"import_{table}_{uuid.uuid4()}"
    runs = "/api/v2/dags/etl/dagRuns"
    created = await client.post(
        runs, json={"dag_run_id": run_id, "logical_date": None, "conf": {"table": table}}
    )
    created.raise_for_status()

    async with asyncio.timeout(300):
        while True:
            run = (await client.get(f"{runs}/{run_id}")).raise_for_status().json()
            if run["state"] in TERMINAL:
                break
            await asyncio.sleep(POLL_SECONDS)

    instances = (await client.get(f"{runs}/{run_id}/taskInstances")).raise_for_status().json()
    (extract,) = (one for one in instances["task_instances"] if one["task_id"] == "extract")
    entry = await client.get(f"{runs}/{run_id}/taskInstances/extract/xcomEntries/return_value")
    return {
        "run": run["state"],
        "task": extract["state"],
        "tries": extract["try_number"],
        "value": entry.raise_for_status().json()["value"],
    }


async def main() -> None:
    async with httpx.AsyncClient(base_url=os.environ["AIRFLOW_URL"], timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {await login(client)}"
        tables = ["orders", "customers", "prices"]
        for result in await asyncio.gather(*(import_table(client, table) for table in tables)):
            print(result)


asyncio.run(main())
