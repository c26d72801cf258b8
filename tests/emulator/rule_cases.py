"""For each rule, requests of a client that trip it, and of one that does the right thing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.emulator.played import BASIC, BEARER, TASK, Sent

V1, V2 = f"/api/v1/{TASK}/xcomEntries", f"/api/v2/{TASK}/xcomEntries"
RUNS1, RUNS2 = "/api/v1/dags/etl/dagRuns", "/api/v2/dags/etl/dagRuns"
MANY1, MANY2 = "/api/v1/dags/many/dagRuns", "/api/v2/dags/many/dagRuns"
NEW = {"logical_date": None}


@dataclass(frozen=True)
class Case:
    """Requests for a rule; the rule finds something in the last one if `trips`, else in none.

    `instead` is a part of the nearest valid request.
    """

    rule: str
    verdict: str
    requests: Sequence[Sent]
    instead: str = ""
    headers: dict[str, str] = field(default_factory=dict)


TRIPS = [
    Case("no-credentials", "lenient", [f"GET {V1}/json"], "Basic BASE64", {"Authorization": ""}),
    Case("no-credentials", "lenient", [f"GET {V2}/json"], "/auth/token", {"Authorization": ""}),
    Case(
        "session-cookie",
        "lenient",
        [f"GET {V1}/json"],
        "Basic BASE64",
        {"Authorization": "", "Cookie": "session=abc"},
    ),
    Case("basic-on-v2", "lenient", [f"GET {V2}/json"], "Bearer", {"Authorization": BASIC}),
    Case("bearer-on-v1", "lenient", [f"GET {V1}/json"], "Basic", {"Authorization": BEARER}),
    Case("unknown-scheme", "lenient", [f"GET {V2}/json"], "Bearer", {"Authorization": "eyJh.a"}),
    Case("login-without-credentials", "lenient", ["GET /auth/token"], "POST /auth/token"),
    Case("login-request", "refused", ["POST /auth/token"], "username", {"Authorization": BASIC}),
    Case("deserialize-on-v1", "refused", [f"GET {V1}/json?deserialize=true"], "stringify=false"),
    Case(
        "execution-date-on-v2",
        "lenient",
        [f"GET {RUNS2}?execution_date_gte=2024-01-01T00:00:00Z"],
        "?logical_date_gte=2024-01-01T00:00:00Z",
    ),
    Case(
        "execution-date-on-v2",
        "refused",
        [f"GET {RUNS2}?order_by=-execution_date"],
        "order_by=-logical_date",
    ),
    Case(
        "execution-date-on-v2",
        "refused",
        [(f"POST {RUNS2}", {"execution_date": "2024-05-01T00:00:00Z"})],
        '{"logical_date": "2024-05-01T00:00:00Z"}',
    ),
    Case(
        "logical-date-on-v1",
        "refused",
        [f"GET {RUNS1}?logical_date_gte=2024-01-01T00:00:00Z"],
        "?execution_date_gte",
    ),
    Case(
        "logical-date-on-v1",
        "refused",
        [(f"POST {RUNS1}", {**NEW, "conf": {}})],
        'with the body {"conf": {}}',
    ),
    Case("logical-date-missing", "refused", [(f"POST {RUNS2}", {"conf": {}})], "null"),
    Case(
        "logical-date-missing",
        "refused",
        [(f"POST {RUNS2}", {"execution_date": "2026-05-01T00:00:00Z"})],
        '"logical_date": "2026-05-01T00:00:00Z"',
    ),
    Case("write-on-v1", "lenient", [(f"POST {V1}", {"key": "new", "value": "1"})], "POST /api/v2"),
    Case("write-on-v1", "lenient", [(f"PATCH {V1}/written", {"value": "1"})], "PATCH /api/v2"),
    Case(
        "update-mask-on-v2",
        "lenient",
        [(f"PATCH {V2}/written?update_mask=value", {"value": "1"})],
        f"PATCH {V2}/written",
    ),
    Case("boolean-on-v1", "refused", [f"GET {V1}/json?stringify=0"], "?stringify=false"),
    Case("unknown-parameter", "refused", [f"GET {V1}/json?token=a"], f"GET {V1}/json"),
    Case("unknown-parameter", "lenient", [f"GET {V2}/json?token=a"], "Authorization: Bearer"),
    Case("unknown-parameter", "lenient", [f"GET {V2}?xcomkey=json"], "?xcom_key=json"),
    Case("unknown-parameter", "refused", [f"GET {V1}/what?x"], f"GET {V1}/what"),
    Case("page-number", "lenient", [f"GET {RUNS2}?page=3&page_size=5"], "limit=5&offset=10"),
    Case("page-number", "refused", [f"GET {RUNS1}?page=3&per_page=5"], "limit=5&offset=10"),
    Case("comma-list-on-v2", "refused", [f"GET {RUNS2}?state=success,failed"], "&state=failed"),
    Case("comma-list-on-v2", "conforms", ["GET /api/v2/dags?tags=sales,hr"], "tags=hr"),
    Case(
        "exploded-list-on-v1",
        "conforms",
        [
            (
                "PATCH /api/v1/dags/etl?update_mask=description&update_mask=is_paused",
                {"is_paused": False},
            )
        ],
        "update_mask=description,is_paused",
    ),
    Case(
        "plus-in-query",
        "refused",
        [f"GET {RUNS1}?start_date_gte=2024-01-01T00:00:00+00:00"],
        "00:00:00%2B00:00",
    ),
    Case(
        "plus-in-query",
        "refused",
        [f"GET {RUNS2}?start_date_gte=2024-01-01T00:00:00+00:00"],
        "00:00:00%2B00:00",
    ),
    Case("page-cut", "conforms", [f"GET {MANY1}"], "offset=100"),
    Case("page-cut", "conforms", [f"GET {MANY2}"], "offset=50"),
    Case("page-cut", "conforms", [f"GET {MANY2}", f"GET {MANY2}?offset=50"], "offset=100"),
    Case("page-cut", "lenient", [f"GET {MANY1}?limit=1000"], "offset=100"),
    Case("limit-clamped", "lenient", [f"GET {RUNS2}?limit=1000"], "limit=100"),
    Case("limit-zero", "conforms", [f"GET {RUNS1}?limit=0"], "limit=100"),
    Case("limit-zero", "conforms", [f"GET {RUNS2}?limit=0"], "limit=100"),
    Case("trailing-slash", "refused", [f"GET {V1}/"], f"GET {V1}"),
    Case("trailing-slash", "refused", [f"GET {V2}/json/"], f"GET {V2}/json"),
    Case("trailing-slash", "refused", ["POST /auth/token/"], "POST /auth/token"),
    Case("double-slash", "refused", ["GET /api/v2//dags"], "GET /api/v2/dags"),
    Case(
        "dash-for-tilde",
        "conforms",
        ["GET /api/v1/dags/etl/dagRuns/-/taskInstances/-/xcomEntries"],
        "dags/etl/dagRuns/~/taskInstances/~/xcomEntries",
    ),
    Case(
        "dash-for-tilde", "conforms", ["GET /api/v2/dags/*/dagRuns/*/taskInstances/*/xcomEntries"]
    ),
    Case(
        "dash-for-tilde",
        "refused",
        ["GET /api/v2/dags/etl/dagRuns/-/taskInstances"],
        "/dagRuns/~/taskInstances",
    ),
    Case(
        "tilde-outside-lists",
        "refused",
        ["GET /api/v1/dags/~/dagRuns/~/taskInstances/extract/xcomEntries/json"],
        "/dags/~/dagRuns/~/taskInstances/extract/xcomEntries",
    ),
    Case("run-alias", "refused", [f"GET {RUNS1}/latest"], "order_by=-execution_date&limit=1"),
    Case(
        "run-alias",
        "refused",
        [f"GET {RUNS2}/latest/taskInstances/extract/xcomEntries/json"],
        f"GET {RUNS2}?order_by=-run_after",
    ),
    Case("run-alias", "conforms", [f"GET {RUNS1}/latest/taskInstances"]),
    Case("plus-in-path", "refused", [f"GET {RUNS1}/manual__2024-01-02T00:00:00%2000:00"], "%2B"),
    Case(
        "escaped-twice",
        "refused",
        [f"GET {RUNS2}/manual__2024-01-02T00%253A00%253A00%252B00%253A00"],
        "T00%3A00%3A00%2B00%3A00",
    ),
    Case("slash-in-id", "refused", [f"GET {RUNS1}/a/b/taskInstances/extract"], f"GET {RUNS1}"),
    Case("login-path", "refused", ["POST /api/v2/auth/token"], "POST /auth/token"),
    Case("login-path", "refused", ["GET /login"], "POST /auth/token"),
    Case("health-path", "refused", ["GET /api/v2/health"], "GET /api/v2/monitor/health"),
    Case("unknown-path", "refused", ["GET /dags/etl/dagRuns"], "GET /api/v2/dags/etl/dagRuns"),
    Case("unknown-path", "refused", ["GET /api/v2/dags/etl/dagruns"], "/dags/etl/dagRuns"),
    Case("unknown-path", "refused", [f"GET {RUNS2}/r1/xcomEntries/k"], "TASK_ID/xcomEntries/k"),
    Case(
        "repeated-run-id",
        "refused",
        [(f"POST {RUNS1}", {"dag_run_id": "r1"})],
        f"GET {RUNS1}/r1",
    ),
    Case(
        "repeated-run-id",
        "refused",
        [(f"POST {RUNS2}", {**NEW, "dag_run_id": "r1"})],
        f"GET {RUNS2}/r1",
    ),
    Case("entry-exists", "refused", [(f"POST {V2}", {"key": "json", "value": 1})], "PATCH"),
    Case(
        "conf-is-text",
        "refused",
        [(f"POST {RUNS2}", {**NEW, "conf": '{"a": 1}'})],
        '"conf": {"a": 1}',
    ),
    Case("conf-is-text", "refused", [(f"POST {RUNS1}", {"conf": '{"a": 1}'})], '{"a": 1}'),
    Case("json-content-type", "refused", [(f"POST {RUNS1}", '{"conf": {}}')], "Content-Type"),
    Case("json-content-type", "refused", [(f"POST {RUNS2}", '{"conf": {}}')], "Content-Type"),
    Case(
        "unknown-field",
        "refused",
        [(f"POST {RUNS2}", {**NEW, "run_id": "mine"})],
        '"dag_run_id": "mine"',
    ),
    Case("unknown-field", "refused", [(f"POST {RUNS1}", {"dag_run_id": "x", "foo": 1})], '"x"}'),
    Case(
        "date-without-zone",
        "refused",
        [f"GET {RUNS2}?start_date_gte=2024-01-01T00:00:00"],
        "T00:00:00Z",
    ),
    Case(
        "date-without-zone",
        "refused",
        [(f"POST {RUNS1}", {"logical_date": "2024-01-03T00:00:00"})],
        "T00:00:00Z",
    ),
    Case(
        "clear-is-dry-run",
        "conforms",
        [("POST /api/v2/dags/etl/clearTaskInstances", {"dag_run_id": "r1"})],
        '"dry_run": false',
    ),
    Case("unknown-state", "conforms", [f"GET {RUNS1}?state=succeeded"], "state=success"),
    Case("unknown-state", "refused", [f"GET {RUNS2}?state=SUCCESS"], "state=success"),
    Case("value-in-list", "conforms", [f"GET {V1}"], f"{V1}/KEY"),
    Case("value-in-list", "conforms", [f"GET {V2}"], f"{V2}/KEY"),
    Case(
        "value-in-list",
        "conforms",
        ["GET /api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"],
        "dags/DAG_ID",
    ),
    Case("v1-value-is-python", "conforms", [f"GET {V1}/return_value"], "stringify=false"),
    Case("v1-value-is-python", "conforms", [f"GET {V1}/long?map_index=-1"], "&stringify=false"),
    Case("poll-without-run", "refused", [f"GET {V1}/later"] * 5, f"GET {RUNS1}/r1"),
    Case("not-found", "refused", [f"GET {V1}/nothing"], f"GET {V1}"),
    Case("not-found", "refused", ["GET /api/v2/dags/nothing"], "GET /api/v2/dags"),
    Case("not-found", "refused", [f"GET {RUNS2}/nothing"], f"GET {RUNS2}"),
    Case("invalid-parameter", "refused", [f"GET {V1}?limit=-1"], f"GET {V1}"),
    Case("invalid-parameter", "refused", [f"GET {V2}/json?map_index=NaN"], f"GET {V2}/json"),
    Case("invalid-parameter", "refused", [f"GET {RUNS2}/r1/wait?result=extract"], "interval=1"),
    Case("invalid-body", "refused", [(f"POST {V2}", {"key": "a", "value": 1, "map_index": "x"})]),
    Case("wrong-method", "refused", [(f"PUT {V2}/json", {"value": 1})], f"PATCH {V2}/json"),
    Case("invalid-parameter", "refused", [f"GET {RUNS1}?order_by=nope&limit=1"], "?limit=1"),
    Case("invalid-parameter", "refused", [f"GET {RUNS2}?start_date_gte=abc"], f"GET {RUNS2}"),
    Case("invalid-parameter", "refused", [f"GET {RUNS1}?offset=-1"], f"GET {RUNS1}"),
    Case("invalid-path", "refused", [f"GET {V1}/{'k' * 513}"]),
    Case("invalid-path", "refused", [f"GET {V2}/%00"]),
    Case("slash-in-id", "refused", [f"GET {RUNS1}/a%2Fb/taskInstances/extract"], f"GET {RUNS1}"),
    Case("other-refusal", "refused", ["DELETE /api/v2/dags/busy"]),
    Case(
        "execution-date-on-v2",
        "refused",
        [("POST /api/v2/dags/~/dagRuns/list", {"execution_date_gte": "2024-01-01T00:00:00Z"})],
        '{"logical_date_gte": "2024-01-01T00:00:00Z"}',
    ),
    Case("exploded-list-on-v1", "conforms", [f"GET {RUNS1}?limit=5&limit=7"], "?limit=7"),
]

RIGHT = [
    Case("no-credentials", "conforms", [f"GET {V1}/json", f"GET {V2}/json"]),
    Case(
        "no-credentials",
        "conforms",
        ["GET /api/v1/health", "GET /api/v2/version", "GET /health"],
        headers={"Authorization": ""},
    ),
    Case("session-cookie", "conforms", [f"GET {V1}/json"], headers={"Cookie": "session=abc"}),
    Case("basic-on-v2", "conforms", [f"GET {V1}/json"], headers={"Authorization": BASIC}),
    Case("basic-on-v2", "conforms", ["GET /api/v2/version"], headers={"Authorization": BASIC}),
    Case("bearer-on-v1", "conforms", [f"GET {V2}/json"], headers={"Authorization": BEARER}),
    Case("unknown-scheme", "conforms", [f"GET {V2}/json"], headers={"Authorization": "bearer a"}),
    Case(
        "login-without-credentials",
        "conforms",
        [("POST /auth/token", {"username": "a", "password": "b"})],
    ),
    Case("login-request", "conforms", [("POST /auth/token", {"username": "a", "password": "b"})]),
    Case(
        "deserialize-on-v1",
        "conforms",
        [f"GET {V1}/json?deserialize=false", f"GET {V2}/json?deserialize=true"],
    ),
    Case(
        "execution-date-on-v2",
        "conforms",
        [
            f"GET {RUNS2}?logical_date_gte=2024-01-01T00:00:00Z&order_by=-logical_date",
            f"GET {RUNS1}?execution_date_gte=2024-01-01T00:00:00Z&order_by=execution_date",
        ],
    ),
    Case("logical-date-on-v1", "conforms", [(f"POST {RUNS1}", {"conf": {}})]),
    Case("logical-date-missing", "conforms", [(f"POST {RUNS2}", {**NEW, "conf": {}})]),
    Case("write-on-v1", "conforms", [(f"PATCH {V2}/written", {"value": 2}), f"GET {V1}/json"]),
    Case("update-mask-on-v2", "conforms", [(f"PATCH {V2}/written", {"value": 2})]),
    Case(
        "update-mask-on-v2",
        "conforms",
        [("PATCH /api/v2/dags/etl?update_mask=is_paused", {"is_paused": False})],
    ),
    Case(
        "boolean-on-v1",
        "conforms",
        [f"GET {V1}/json?stringify=false", f"GET {V1}/json?stringify=False"],
    ),
    Case(
        "unknown-parameter",
        "conforms",
        [f"GET {V1}/json?map_index=-1&stringify=false", f"GET {V2}?xcom_key=json&limit=5"],
    ),
    Case("unknown-parameter", "conforms", [f"GET {V2}/what%3F"]),
    Case("page-number", "conforms", [f"GET {RUNS1}?limit=5&offset=0"]),
    Case("comma-list-on-v2", "conforms", [f"GET {RUNS2}?state=success&state=failed"]),
    Case("comma-list-on-v2", "conforms", [f"GET {RUNS1}?state=success,failed"]),
    Case("comma-list-on-v2", "conforms", [f"GET {V2}?xcom_key=a,b"]),
    Case(
        "exploded-list-on-v1",
        "conforms",
        [
            f"GET {RUNS1}?state=success&state=failed",
            ("PATCH /api/v1/dags/etl?update_mask=is_paused", {"is_paused": False}),
        ],
    ),
    Case(
        "plus-in-query",
        "conforms",
        [
            f"GET {RUNS1}?start_date_gte=2024-01-01T00:00:00%2B00:00",
            f"GET {RUNS2}?start_date_gte=2024-01-01T00:00:00Z",
        ],
    ),
    Case(
        "page-cut",
        "conforms",
        [f"GET {MANY2}", f"GET {MANY2}?offset=50", f"GET {MANY2}?offset=100"],
    ),
    Case("page-cut", "conforms", [f"GET {MANY1}?limit=1&order_by=-start_date", f"GET {RUNS1}"]),
    Case("limit-clamped", "conforms", [f"GET {RUNS1}?limit=100"]),
    Case("limit-clamped", "conforms", ["GET /api/v1/dags/~/dagRuns/~/taskInstances?limit=500"]),
    Case("limit-zero", "conforms", [f"GET {RUNS2}?limit=5"]),
    Case("trailing-slash", "conforms", [f"GET {V1}/json", f"GET {V2}/a/b"]),
    Case("double-slash", "conforms", ["GET /api/v2/dags"]),
    Case(
        "dash-for-tilde",
        "conforms",
        ["GET /api/v1/dags/~/dagRuns/~/taskInstances/~/xcomEntries?limit=100", f"GET {V1}/json"],
    ),
    Case("tilde-outside-lists", "conforms", ["GET /api/v2/dags/~/dagRuns/~/taskInstances"]),
    Case("run-alias", "conforms", [f"GET {RUNS1}?order_by=-execution_date&limit=1"]),
    Case(
        "plus-in-path",
        "conforms",
        [
            f"GET {RUNS1}/manual__2024-01-02T00:00:00+00:00",
            f"GET {RUNS2}/manual__2024-01-02T00%3A00%3A00%2B00%3A00",
        ],
    ),
    Case("escaped-twice", "conforms", [f"GET {RUNS2}/manual__2024-01-02T00%3A00%3A00%2B00%3A00"]),
    Case("slash-in-id", "conforms", [f"GET {V1}/a/b", f"GET {V1}/a%2Fb"]),
    Case("login-path", "conforms", [("POST /auth/token", {"username": "a", "password": "b"})]),
    Case("health-path", "conforms", ["GET /api/v2/monitor/health", "GET /api/v1/health"]),
    Case("unknown-path", "conforms", ["GET /api/v2/dags/etl/tasks", "GET /health"]),
    Case("repeated-run-id", "conforms", [(f"POST {RUNS1}", {"dag_run_id": "only_once"})]),
    Case("entry-exists", "conforms", [(f"POST {V2}", {"key": "created", "value": 1})]),
    Case("conf-is-text", "conforms", [(f"POST {RUNS2}", {**NEW, "conf": {"a": "{}"}})]),
    Case("json-content-type", "conforms", [(f"POST {RUNS1}", {"conf": {}})]),
    Case("unknown-field", "conforms", [(f"POST {RUNS2}", {**NEW, "dag_run_id": "mine"})]),
    Case(
        "date-without-zone",
        "conforms",
        [(f"POST {RUNS2}", {"logical_date": "2024-01-04T00:00:00Z"})],
    ),
    Case(
        "clear-is-dry-run",
        "conforms",
        [("POST /api/v2/dags/etl/clearTaskInstances", {"dag_run_id": "r1", "dry_run": True})],
    ),
    Case("unknown-state", "conforms", [f"GET {RUNS1}?state=failed", f"GET {RUNS2}?state=failed"]),
    Case("value-in-list", "conforms", [f"GET {V1}", f"GET {V1}/json"]),
    Case("value-in-list", "conforms", [f"GET {V2}?xcom_key=nothing"]),
    Case(
        "v1-value-is-python",
        "conforms",
        [
            f"GET {V1}/return_value?stringify=false",
            f"GET {V1}/json",
            f"GET {V1}/text",
            f"GET {V1}/long%20text",
            f"GET {V2}/return_value",
        ],
    ),
    Case(
        "poll-without-run",
        "refused",
        [f"GET {V1}/later", f"GET {RUNS1}/r1"] * 4 + [f"GET {V1}/later"],
    ),
    Case("not-found", "conforms", [f"GET {V1}/json"]),
    Case("invalid-parameter", "conforms", [f"GET {V1}?limit=5&offset=0", f"GET {V1}/json"]),
    Case("invalid-body", "conforms", [(f"POST {V2}", {"key": "b", "value": 1, "map_index": -1})]),
    Case("wrong-method", "conforms", [(f"PATCH {V2}/written", {"value": 1})]),
    Case("invalid-path", "conforms", [f"GET {V1}/a/b"]),
    Case("other-refusal", "conforms", ["GET /api/v2/dags/busy"]),
    Case("page-cut", "conforms", [f"GET {MANY2}?limit=5&offset=10", f"GET {MANY2}?limit=100"]),
    Case("dash-for-tilde", "conforms", ["GET /api/v1/dags/-/dagRuns"]),
    Case("run-alias", "conforms", ["GET /api/v1/dags/-/dagRuns/latest"]),
    Case("escaped-twice", "conforms", ["GET /api/v1/dags/-/dagRuns/a%252Bb"]),
    Case(
        "plus-in-path",
        "conforms",
        ["GET /api/v1/dags/-/dagRuns/manual__2024-01-02T00:00:00%2000:00"],
    ),
    Case("trailing-slash", "refused", ["GET /"]),
    Case(
        "login-request",
        "refused",
        [("POST /auth/token/cli", {"username": "a", "password": "b", "x": 1})],
    ),
]
