// Runs the DAG `etl`, waits for it, and prints the value that its task `extract` returned.

const base = process.env.AIRFLOW_URL;
const pollSeconds = Number(process.env.POLL_SECONDS ?? 5);

async function call(path, { token, method = "GET", body } = {}) {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      Accept: "application/json",
      ...(body && { "Content-Type": "application/json" }),
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function waitForRun(token, runs, runId, timeoutSeconds = 300) {
  const deadline = Date.now() + timeoutSeconds * 1000;
  while (Date.now() < deadline) {
    const run = await call(`${runs}/${encodeURIComponent(runId)}`, { token });
    if (["success", "failed"].includes(run.state)) return run;
    await sleep(pollSeconds);
  }
  throw new Error(`${runId} did not finish in ${timeoutSeconds} seconds`);
}

const { access_token: token } = await call("/auth/token", {
  method: "POST",
  body: { username: process.env.AIRFLOW_USER, password: process.env.AIRFLOW_PASSWORD },
});
const runs = "/api/v2/dags/etl/dagRuns";
const { dag_run_id: runId } = await call(runs, {
  token,
  method: "POST",
  body: { logical_date: null, conf: { table: "orders" }, note: "from Node.js" },
});
const run = await waitForRun(token, runs, runId);
console.log(run.state, run.note);

const place = `${runs}/${encodeURIComponent(runId)}/taskInstances`;
const { task_instances: instances } = await call(place, { token });
console.log(instances.map(({ task_id, state }) => `${task_id}=${state}`).sort().join(" "));
const { value } = await call(`${place}/extract/xcomEntries/return_value`, { token });
console.log(JSON.stringify(value));
