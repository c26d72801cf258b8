"""An attack on one server: roles, random requests, amplification, slow clients; then a verdict."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema

from tests.attack import roles
from tests.attack.fuzzing import Tally, Target, fuzz
from tests.attack.probe import LiveProbe
from tests.attack.requests_made import basic
from tests.attack.roles import Matrix
from tests.attack.slow_clients import SlowClients
from tests.attack.users import MINE, THEIRS, token, write_users
from tests.support import any_operation, worst_requests
from tests.support.databases import load
from tests.support.live_server import LiveServer, UnmeasuredServer
from tests.support.memory import status_mib
from tests.support.postgres import Postgres

DATABASES = ("sqlite", "postgres")
STOP_SECONDS = 90


@dataclass(frozen=True)
class Plan:
    """What an attack consists of; `patience` is the seconds after which a request has hung."""

    database: str
    has_users: bool
    seed: str
    requests: int
    seconds: float
    slow_clients: int = 1000
    slow_seconds: float = 20
    clients: int = 2
    patience: float = 5

    def __str__(self) -> str:
        return f"{self.database}, {'with' if self.has_users else 'without'} users"


@dataclass
class Report:
    """The figures of an attack and its findings."""

    plan: Plan
    tally: Tally = field(default_factory=Tally)
    matrix: Matrix = field(default_factory=Matrix)
    amplified: int = 0
    slow: dict[str, int] = field(default_factory=dict)
    live: dict[str, float] = field(default_factory=dict)
    """The slowest /live during each part, in seconds."""
    peaks: dict[str, float] = field(default_factory=dict)
    """The sum of the peaks of the workers' memory after each part, in MiB."""
    stop_seconds: float = 0
    findings: list[str] = field(default_factory=list)

    def all_findings(self) -> list[str]:
        """Return everything that must not happen."""
        counted = [f"{count} times {text}" for text, count in self.tally.findings.most_common(50)]
        return [*self.findings, *self.matrix.findings, *counted]


Progress = Callable[[str], None]


def attack(plan: Plan, folder: Path, on_progress: Progress = lambda _: None) -> Report:
    """Attack a server with two workers in an empty folder."""
    report = Report(plan)
    with _served(plan, folder) as server:
        workers = server.workers()
        if plan.has_users:
            with _watched(report, server, "roles"):
                report.matrix = roles.check(server.url, server.port)
            on_progress(f"{report.matrix.checks} checks of roles")
            _load(server)
        with _watched(report, server, "requests"):
            _fuzz(report, server, on_progress)
        with _watched(report, server, "amplification"):
            _amplify(report, server)
        on_progress(f"{report.amplified} requests for much memory")
        _be_slow(report, server, workers, on_progress)
    _look_at_log(report, server)
    return report


def _fuzz(report: Report, server: LiveServer, on_progress: Progress) -> None:
    plan = report.plan
    target = Target(server.port, plan.has_users, plan.patience)
    for tally in fuzz(target, plan.seed, plan.requests, plan.seconds, plan.clients):
        report.tally = tally
        on_progress(f"{tally.requests} requests, {len(tally.findings)} findings")


def _amplify(report: Report, server: LiveServer) -> None:
    """Send the requests that need the most memory, many at once."""
    name = "admin"
    bearer = f"Bearer {token(server.port, name)}" if report.plan.has_users else ""
    load(server.database_url, worst_requests.runs(), worst_requests.instances())
    worst_requests.create_values(server.port, bearer)
    answers = worst_requests.send_all(server.port, basic(name, name)[1], bearer)
    report.amplified = len(answers)
    report.findings += [
        f"status {status} for a request for much memory"
        for status, _ in answers
        if status not in worst_requests.ALLOWED | {429}  # for logins at the same time
    ]


def _be_slow(report: Report, server: LiveServer, workers: list[int], on_progress: Progress) -> None:
    """Hold slow connections for a while, and stop the server while they are open."""
    with SlowClients(server.port, report.plan.slow_clients) as clients:
        with _watched(report, server, "slow clients"):
            time.sleep(report.plan.slow_seconds)
        if server.workers() != workers:
            report.findings.append(f"the workers {workers} became {server.workers()}")
        report.slow = {**clients.opened, "refused": clients.refused}
        report.stop_seconds = _stop(server)
    on_progress(f"{sum(clients.opened.values())} slow connections")


def _stop(server: LiveServer) -> float:
    """Stop the server, and return the seconds that it takes."""
    start = time.monotonic()
    server.process.terminate()
    server.process.wait(STOP_SECONDS)
    return time.monotonic() - start


@contextmanager
def _served(plan: Plan, folder: Path) -> Iterator[LiveServer]:
    """Yield a server with the data of `any_operation`."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"XCOM_DESERIALIZE": "true"}
        if plan.database == "postgres":
            settings["XCOM_DATABASE_URL"] = stack.enter_context(Postgres(folder)).url
        if plan.has_users:
            settings["XCOM_AUTH"] = "users"
            settings["XCOM_USERS_FILE"] = str(write_users(folder / "users.json"))
        server = UnmeasuredServer(folder, **settings)
        _load(server)
        stack.enter_context(server)
        yield server


def _load(server: LiveServer) -> None:
    backend = open_backend(server.database_url)
    schema.upgrade(backend)
    backend.close()
    load(server.database_url, any_operation.seed(*MINE, *THEIRS))


@contextmanager
def _watched(report: Report, server: LiveServer, part: str) -> Iterator[None]:
    """Measure /live and the memory of the workers during a part."""
    with LiveProbe(server.url) as probe:
        yield
    report.live[part] = probe.slowest
    report.findings += [f"/live during {part}: {failure}" for failure in probe.failures[:5]]
    report.peaks[part] = sum(status_mib("VmHWM", pid) for pid in server.workers())


def _look_at_log(report: Report, server: LiveServer) -> None:
    log = server.log.read_text(errors="replace")
    for sign in ("Traceback (most recent call last)", "SIGKILL", "WORKER TIMEOUT"):
        if sign in log:
            place = log.index(sign)
            report.findings.append(f"the log has: {log[max(0, place - 500) : place + 1500]}")
