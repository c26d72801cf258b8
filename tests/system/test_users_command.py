"""`xcom-server user`: passwords are never shown, and a running server applies changes."""

import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.users import Role, User, read

from tests.support.commands import XCOM_SERVER, run
from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.processes import paused
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SECRET = "correct: horse ü"


def user(
    folder: Path, *arguments: str | bytes, password: str | bytes = SECRET + "\n", **environ: str
) -> CompletedProcess[str]:
    """Run a `user` command with a password on its standard input."""
    stdin = password if isinstance(password, bytes) else password.encode()
    done = subprocess.run(
        [XCOM_SERVER, "user", *arguments],
        cwd=folder,
        input=stdin,
        timeout=60,
        env={**os.environ, **environ},
        capture_output=True,
    )
    return CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def stored(folder: Path) -> dict[str, User]:
    return dict(read(folder / "xcom-users.json"))


def run_on_terminal(
    folder: Path,
    arguments: Sequence[str],
    lines: Sequence[str],
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[int, str]:
    """Run a `user` command on a terminal, answer its prompts, and return its status and output.

    `meanwhile` is called before each prompt is answered.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [XCOM_SERVER, "user", *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, answers = b"", iter(lines)
    try:
        while select.select([ours], [], [], 30)[0]:
            shown += os.read(ours, 1000)
            if shown.endswith(b": "):
                meanwhile()
                os.write(ours, (next(answers) + "\n").encode(errors="surrogateescape"))
    except OSError:  # the terminal is closed when the process exits
        return process.wait(30), shown.decode()
    finally:
        os.close(ours)
        process.kill()
        process.wait()
    raise AssertionError(f"the command hangs: {shown!r}")


def test_user_is_added_with_the_password_from_stdin(tmp_path: Path) -> None:
    added = user(tmp_path, "add", "ann", "--role", "viewer")

    assert (added.returncode, added.stdout, added.stderr) == (0, "Added ann, viewer.\n", "")
    ann = stored(tmp_path)["ann"]
    assert (ann.role, ann.dag_ids) == (Role.VIEWER, None)
    assert PasswordHasher().verify(ann.password_hash, SECRET)
    path = tmp_path / "xcom-users.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in path.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["xcom-users.json"]


@pytest.mark.parametrize(
    ("stdin", "password"),
    [
        ("secret", "secret"),
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("one\ntwo\n", "one"),
        (" spaces \n", " spaces "),
        ("x" * 1024 + "\n", "x" * 1024),
    ],
)
def test_first_line_of_stdin_is_the_password(tmp_path: Path, stdin: str, password: str) -> None:
    assert user(tmp_path, "add", "ann", "--role", "op", password=stdin).returncode == 0

    assert PasswordHasher().verify(stored(tmp_path)["ann"].password_hash, password)


def test_password_is_not_accepted_as_an_argument(tmp_path: Path) -> None:
    assert user(tmp_path, "add", "ann", SECRET, "--role", "op").returncode == 2
    assert user(tmp_path, "add", "ann", "--role", "op", "--password", SECRET).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_terminal_prompts_twice_and_never_shows_the_password(tmp_path: Path) -> None:
    status, shown = run_on_terminal(tmp_path, ["add", "ann", "--role", "op"], ["secret", "secret"])

    assert status == 0
    assert "Password: " in shown
    assert "Repeat for confirmation: " in shown
    assert shown.endswith("Added ann, op.\r\n")
    assert "secret" not in shown
    assert PasswordHasher().verify(stored(tmp_path)["ann"].password_hash, "secret")


def test_terminal_rejects_a_password_that_is_not_utf_8(tmp_path: Path) -> None:
    status, shown = run_on_terminal(tmp_path, ["add", "ann", "--role", "op"], ["\udcff", "\udcff"])

    assert status == 1
    assert shown.endswith("Error: the password is not UTF-8\r\n")
    assert list(tmp_path.iterdir()) == []


def test_terminal_prompts_again_if_passwords_differ(tmp_path: Path) -> None:
    status, shown = run_on_terminal(
        tmp_path, ["add", "ann", "--role", "op"], ["secret", "other", "second", "second"]
    )

    assert status == 0
    assert shown.count("Password: ") == 2
    assert "do not match" in shown
    assert not any(each in shown for each in ("secret", "other"))
    assert PasswordHasher().verify(stored(tmp_path)["ann"].password_hash, "second")


def test_change_made_during_the_prompt_is_kept(tmp_path: Path) -> None:
    user(tmp_path, "add", "ann", "--role", "admin")

    status, _ = run_on_terminal(
        tmp_path,
        ["add", "bob", "--role", "op"],
        ["secret"] * 2,
        meanwhile=lambda: user(tmp_path, "remove", "ann"),
    )

    assert status == 0
    assert list(stored(tmp_path)) == ["bob"]


def test_user_can_be_limited_to_dags(tmp_path: Path) -> None:
    user(tmp_path, "add", "ann", "--role", "user", "--dag", "etl", "--dag", "a/b")

    assert stored(tmp_path)["ann"].dag_ids == frozenset({"etl", "a/b"})
    assert user(tmp_path, "list").stdout == "ann user (a/b, etl)\n"


def test_existing_user_is_only_replaced_with_the_option(tmp_path: Path) -> None:
    user(tmp_path, "add", "ann", "--role", "viewer", "--dag", "etl")
    user(tmp_path, "add", "bob", "--role", "op")
    before = stored(tmp_path)

    refused = user(tmp_path, "add", "ann", "--role", "admin", password="new\n")
    assert (refused.returncode, refused.stderr) == (
        1,
        "Error: user 'ann' already exists; --replace changes it\n",
    )
    assert stored(tmp_path) == before

    changed = user(tmp_path, "add", "ann", "--role", "admin", "--replace", password="new\n")
    assert changed.stdout == "Changed ann, admin.\n"
    assert stored(tmp_path)["bob"] == before["bob"]
    assert stored(tmp_path)["ann"].dag_ids == frozenset({"etl"})
    assert PasswordHasher().verify(stored(tmp_path)["ann"].password_hash, "new")


def test_users_are_listed_and_removed(tmp_path: Path) -> None:
    for name, role in (("bob", "op"), ("ann", "viewer")):
        user(tmp_path, "add", name, "--role", role)

    assert user(tmp_path, "list").stdout == "bob op\nann viewer\n"
    assert user(tmp_path, "remove", "bob").stdout == "Removed bob.\n"
    assert user(tmp_path, "list").stdout == "ann viewer\n"


def test_list_is_empty_for_no_users_and_fails_without_a_file(tmp_path: Path) -> None:
    """Operators run it before a SIGHUP, after which a server without the file does not start."""
    missing = user(tmp_path, "list")
    assert (missing.returncode, missing.stdout, missing.stderr) == (
        1,
        "",
        "Error: the users file xcom-users.json cannot be used: No such file or directory."
        " Create it with: xcom-server user add NAME --role ROLE\n",
    )

    user(tmp_path, "add", "ann", "--role", "op")
    user(tmp_path, "remove", "ann")
    empty = user(tmp_path, "list")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (["remove", "ann"], "", "user 'ann' does not exist"),
        (
            ["add", "a:b", "--role", "op"],
            "x\n",
            "a user name must have 1 to 250 printable characters",
        ),
        (["add", "", "--role", "op"], "x\n", "a user name must have 1 to 250 printable characters"),
        (
            ["add", b"\xff", "--role", "op"],
            "x\n",
            "argument 3 is not valid UTF-8",
        ),
        (["add", "ann", "--role", "op"], "", "a password must have 1 to 1024 bytes"),
        (["add", "ann", "--role", "op"], "\n", "a password must have 1 to 1024 bytes"),
        (["add", "ann", "--role", "op"], "x" * 1025, "a password must have 1 to 1024 bytes"),
        (["add", "ann", "--role", "op"], "ü" * 513, "a password must have 1 to 1024 bytes"),
        (["add", "ann", "--role", "op"], b"\xff\xfe\n", "password"),
        (["add", "ann", "--role", "op", "--dag", b"\xff"], "x\n", "argument 7 is not valid UTF-8"),
    ],
    ids=[
        "remove a missing user",
        "name with a colon",
        "empty name",
        "name that is not UTF-8",
        "no password",
        "empty password",
        "long password",
        "long non-ASCII password",
        "password that is not UTF-8",
        "DAG that is not UTF-8",
    ],
)
def test_invalid_arguments_are_reported_in_one_line(
    tmp_path: Path, arguments: list[str | bytes], password: str | bytes, words: str
) -> None:
    result = user(tmp_path, *arguments, password=password)

    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [["list"], ["add", "ann", "--role", "op"], ["remove", "ann"]],
    ids=lambda each: each[0],
)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{bad", "not JSON"),
        ("{}", "it must be a JSON object with an object `users`"),
        (
            '{"users": {"bob": {"role": "root", "password": "$argon2"}}}',
            "user 'bob': role must be one of",
        ),
        (
            '{"users": {"bob": {"role": [], "password": "$argon2"}}}',
            "user 'bob': role must be one of",
        ),
    ],
    ids=["not JSON", "no users", "unknown role", "role is a list"],
)
def test_error_names_the_invalid_file_and_keeps_it(
    tmp_path: Path, command: list[str], content: str, words: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)

    result = user(tmp_path, *command, XCOM_USERS_FILE=str(path))

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert words in result.stderr
    assert str(path) in result.stderr
    assert path.read_text() == content


@pytest.mark.parametrize("path", [".", "no/such/folder.json", "file/users.json"])
def test_unwritable_file_is_reported_in_one_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()

    result = user(tmp_path, "add", "ann", "--role", "op", XCOM_USERS_FILE=path)

    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("Error: ")


def test_unknown_setting_is_reported_in_one_line(tmp_path: Path) -> None:
    result = run(XCOM_SERVER, "user", "list", cwd=tmp_path, env={**os.environ, "XCOM_USERZ": "x"})

    assert result.stderr == "Error: XCOM_USERZ is not a setting. Did you mean XCOM_USERS?\n"
    assert result.returncode == 1


def test_running_server_applies_a_change_at_once(tmp_path: Path) -> None:
    def status(name: str, method: str = "GET") -> int:
        credentials = b64encode(f"{name}:{SECRET}".encode()).decode()
        entry = f"{server.api}/dags/etl/dagRuns/r/taskInstances/t/xcomEntries"
        body = {"key": name, "value": "1"} if method == "POST" else None
        request = Request(
            entry,
            json.dumps(body).encode() if body else None,
            method=method,
            headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request) as response:
                return int(response.status)
        except HTTPError as error:
            with error:
                return error.code

    user(tmp_path, "add", "ann", "--role", "viewer")
    # One worker, because each keeps the users that it read last.
    with LiveServer(tmp_path, workers=1, XCOM_AUTH="users") as server:
        assert (status("ann"), status("ann", "POST"), status("bob")) == (200, 403, 401)
        user(tmp_path, "add", "bob", "--role", "user")
        assert (status("bob"), status("bob", "POST")) == (200, 200)
        user(tmp_path, "add", "ann", "--role", "user", "--replace", "--dag", "other")
        assert (status("ann"), status("bob")) == (403, 200)
        user(tmp_path, "remove", "bob")
        assert (status("bob"), status("bob", "POST")) == (401, 401)
        (tmp_path / "xcom-users.json").write_text("broken")
        assert status("ann") == 403
        log = server.log.read_text()

    prefix = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\]"
    assert re.search(prefix + r" \[INFO\] Reloaded the users file .*\.", log)
    assert re.search(
        prefix + r" \[ERROR\] Keeping the previous users: the users file .* cannot be used", log
    )
    assert SECRET not in log
    assert "argon2" not in log


def test_replace_keeps_the_dags_unless_options_change_them(tmp_path: Path) -> None:
    user(tmp_path, "add", "ann", "--role", "admin", "--dag", "a", "--dag", "b")
    for options, dag_ids in ([], {"a", "b"}), (["--dag", "c"], {"c"}), (["--all-dags"], None):
        changed = user(tmp_path, "add", "ann", "--role", "viewer", "--replace", *options)

        assert changed.returncode == 0
        assert stored(tmp_path)["ann"].dag_ids == dag_ids


@pytest.mark.parametrize("dag_id", ["~", ""])
def test_invalid_dag_id_is_rejected(tmp_path: Path, dag_id: str) -> None:
    refused = user(tmp_path, "add", "ann", "--role", "viewer", "--dag", dag_id)

    assert (refused.returncode, "dags must be a list of DAG ids" in refused.stderr) == (1, True)


def test_worker_failing_on_a_broken_file_stops_no_other(tmp_path: Path) -> None:
    user(tmp_path, "add", "ann", "--role", "viewer")
    with LiveServer(tmp_path, XCOM_AUTH="users") as server:
        good = (tmp_path / "xcom-users.json").read_text()
        (tmp_path / "xcom-users.json").write_text("broken")
        killed, other = server.workers()
        os.kill(killed, signal.SIGKILL)
        until(lambda: "Exception in worker process" in server.log.read_text())

        assert status(f"{server.url}/live") == 200
        assert other in server.workers()
        (tmp_path / "xcom-users.json").write_text(good)
        with paused(other):  # so that the replacement must respond
            until(lambda: status(f"{server.url}/ready") == 200)
        assert server.process.poll() is None
