"""The deployment files are valid and consistent with the server and each other."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from xcom_server import __version__
from xcom_server.settings import Settings

from tests.support.commands import run
from tests.support.dockerfile import context, stages
from tests.support.paths import ROOT

COMMANDS = Path(sys.executable).parent
ENTRIES = "/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
LINTERS = {
    "Dockerfile": ("hadolint",),
    "compose.yaml": ("check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
    "deploy/kubernetes.yaml": ("kubernetes-validate", "--strict"),
}
DOCUMENT = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
IMAGE = stages()[-1]


def parsed(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / name).read_text(encoding="utf-8")))


(COMPOSE,) = parsed("compose.yaml")
SERVER = COMPOSE["services"]["xcom"]
RESOURCES = {each["kind"]: each for each in parsed("deploy/kubernetes.yaml")}
POD = RESOURCES["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
(MIGRATE,) = POD["spec"]["initContainers"]
PORT = int(IMAGE.only("EXPOSE"))


def unit() -> list[tuple[str, str]]:
    """Return the name and value of each line of the systemd unit; names may repeat."""
    lines = (ROOT / "deploy" / "xcom-server.service").read_text(encoding="utf-8").splitlines()
    return [
        (name, value)
        for name, equals, value in (line.partition("=") for line in lines)
        if equals and not name.startswith("#")
    ]


def kubernetes_environ(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "from a secret") for each in container["env"]}


ENVIRONS = (
    {"image": IMAGE.environ}
    | {
        f"compose {name}": IMAGE.environ | service.get("environment", {})
        for name, service in COMPOSE["services"].items()
        if service["image"].startswith("xcom")
    }
    | {
        f"kubernetes {each['name']}": IMAGE.environ | kubernetes_environ(each)
        for each in (CONTAINER, MIGRATE)
    }
)
SYSTEMD = dict(value.split("=", 1) for name, value in unit() if name == "Environment")


def settings(container: str) -> Settings:
    return Settings.from_env(ENVIRONS[container])


def lint(name: str, file: Path) -> str:
    """Return the linter's output for a file; empty if the file is valid."""
    command, *arguments = LINTERS[name]
    done = run(str(COMMANDS / command), *arguments, str(file))
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("name", LINTERS)
def test_linter_finds_no_errors(name: str) -> None:
    assert lint(name, ROOT / name) == ""


@pytest.mark.parametrize(
    ("name", "good", "bad", "words"),
    [
        ("Dockerfile", "${PYTHON}-slim-trixie", "latest", "DL3007"),
        ("compose.yaml", "read_only", "readonly", "readonly"),
        ("deploy/kubernetes.yaml", "failureThreshold", "failuresThreshold", "failuresThreshold"),
    ],
)
def test_linter_finds_an_error(name: str, good: str, bad: str, words: str, tmp_path: Path) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert good in text
    file = tmp_path / Path(name).name
    file.write_text(text.replace(good, bad), encoding="utf-8")

    assert words in lint(name, file)


@pytest.mark.parametrize("container", ENVIRONS)
def test_variables_are_settings_and_require_users(container: str) -> None:
    assert settings(container).auth == "users"
    assert settings(container).bind == f"[::]:{PORT}"


def test_all_files_use_the_same_image() -> None:
    images = {service["image"] for service in COMPOSE["services"].values()} | {
        CONTAINER["image"],
        MIGRATE["image"],
    }

    assert images == {f"xcom-server:{__version__}", COMPOSE["services"]["db"]["image"]}
    assert [name for name, service in COMPOSE["services"].items() if "build" in service] == ["xcom"]
    assert MIGRATE["args"] == COMPOSE["services"]["migrate"]["command"] == ["db", "upgrade"]


def test_all_files_use_the_same_port() -> None:
    (published,) = SERVER["ports"]
    (port,) = CONTAINER["ports"]
    (service,) = RESOURCES["Service"]["spec"]["ports"]

    assert published == f"127.0.0.1:{PORT}:{PORT}"
    assert port == {"name": "http", "containerPort": PORT}
    assert service["targetPort"] == port["name"]
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)


@pytest.mark.parametrize("base_path", ["", "/airflow"])
def test_paths_of_probes_and_metrics_exist(
    make_client: Callable[..., FlaskClient], base_path: str
) -> None:
    client = make_client(base_path=base_path)
    probes = [CONTAINER[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    paths = {probe["path"] for probe in probes} | {
        POD["metadata"]["annotations"]["prometheus.io/path"],
        *re.findall(r"'(/\w+)'", IMAGE.healthcheck[-1]),
    }

    assert paths == {"/live", "/ready", "/metrics"}
    for path in sorted(paths):
        assert client.get(path).status_code == 200, path


def test_pods_have_no_variables_for_services() -> None:
    assert POD["spec"]["enableServiceLinks"] is False


def test_stop_timeouts_allow_draining_to_finish() -> None:
    def shutdown_seconds(container: str) -> int:
        return settings(container).drain_seconds + settings(container).graceful_timeout_seconds

    (grace,) = re.findall(r"^(\d+)s$", SERVER["stop_grace_period"])
    (sleep, seconds) = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]

    assert int(grace) > shutdown_seconds("compose xcom")
    assert sleep == "sleep"
    assert POD["spec"]["terminationGracePeriodSeconds"] > int(seconds) + shutdown_seconds(
        "kubernetes xcom"
    )


def test_systemd_stops_only_the_master_and_lets_it_finish() -> None:
    service = dict(unit())
    settings = Settings.from_env(SYSTEMD)

    assert service["KillMode"] == "mixed"
    assert (
        int(service["TimeoutStopSec"]) > settings.drain_seconds + settings.graceful_timeout_seconds
    )
    assert settings.auth == "users"
    assert {Path(settings.users_file).parent, Path(settings.token_key_file).parent} == {
        Path("/var/lib") / service["StateDirectory"]
    }


def test_containers_are_not_root_and_have_read_only_images() -> None:
    user, group = map(int, IMAGE.only("USER").split(":"))
    pod = POD["spec"]["securityContext"]

    assert user > 0
    assert (pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (user, group, group)
    assert pod["runAsNonRoot"]
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (CONTAINER, MIGRATE):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    for name in ("xcom", "migrate"):
        service = COMPOSE["services"][name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_files_written_by_the_server_are_in_a_volume() -> None:
    home = IMAGE.only("WORKDIR")
    kept = [
        setting
        for setting in ("USERS_FILE", "TOKEN_KEY_FILE", "DATABASE_URL")
        if IMAGE.environ[f"XCOM_{setting}"].removeprefix("sqlite:///").startswith(f"{home}/")
    ]

    assert kept == ["USERS_FILE", "TOKEN_KEY_FILE", "DATABASE_URL"]
    assert f"data:{home}" in SERVER["volumes"]
    assert IMAGE.environ["TMPDIR"] == "/dev/shm"


def test_secret_holds_the_files_shared_by_the_pods() -> None:
    (volume,) = POD["spec"]["volumes"]
    (mount,) = CONTAINER["volumeMounts"]
    names = {f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]}

    assert {
        settings("kubernetes xcom").users_file,
        settings("kubernetes xcom").token_key_file,
    } == names
    assert volume["secret"]["secretName"] == "xcom"
    for container in (CONTAINER, MIGRATE):
        assert container["env"][0]["valueFrom"] == {
            "secretKeyRef": {"name": "xcom", "key": "database-url"}
        }


def test_one_pod_keeps_serving_during_a_rollout() -> None:
    deployment = RESOURCES["Deployment"]["spec"]
    budget = RESOURCES["PodDisruptionBudget"]["spec"]

    assert deployment["replicas"] > budget["maxUnavailable"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert (
        deployment["selector"]
        == budget["selector"]
        == {"matchLabels": RESOURCES["Service"]["spec"]["selector"]}
    )


def test_build_context_has_no_ignored_files() -> None:
    assert {name for name in context() if not (ROOT / name).exists()} == set()
    assert "app" in context()
    assert not {"tests", ".git", ".venv"} & set(context())


def test_deployment_page_has_the_default_settings() -> None:
    defaults = vars(Settings())
    mentioned = re.findall(r"`XCOM_(\w+)`(?: \(|, )([\d.]+)(?:\)| s\b)", DOCUMENT)

    assert {name.lower() for name in re.findall(r"XCOM_([A-Z_]+[A-Z])", DOCUMENT)} <= set(defaults)
    assert len(mentioned) == 7
    for name, number in mentioned:
        unit = 1000 if name.endswith("_MS") else 1
        assert float(number) * unit == defaults[name.lower()], name
    assert (
        f"{defaults['workers'] * defaults['threads']} for one server with the default settings"
        in DOCUMENT
    )


def test_metrics_of_the_alerts_exist(client: FlaskClient) -> None:
    client.get(f"/api/v2{ENTRIES}")
    names = {line.partition("{")[0] for line in client.get("/metrics").text.splitlines()}
    watched = set(re.findall(r"xcom_\w+_(?:total|bucket)", DOCUMENT))

    assert len(watched) == 3
    assert watched <= names
