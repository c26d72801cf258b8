"""The command `xcom-server`: `serve` is here, the others are imported when they are asked for."""

import os
import sys
from collections.abc import Callable
from dataclasses import fields

import click

from xcom_server import __version__
from xcom_server.settings import CHOICES, PREFIX, Settings, SettingsError

# gunicorn puts the current folder first in the path of imports, and a folder with an `app` of its
# own is a likely place to start from: so ours is imported before.
_LAUNCH = """
import xcom_server.server.gunicorn_conf, xcom_server.factory
from gunicorn.app.wsgiapp import run
run(prog="xcom-server serve")
"""


class Commands(click.Group):
    """A group that imports little: `serve` starts at once, without what the others need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return ["db", "export", "seed", "serve", "user"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None where there is none of this name."""
        if cmd_name in ("db", "export", "seed"):
            from xcom_server.cli import database

            return database.COMMANDS[cmd_name]
        if cmd_name == "user":
            from xcom_server.cli import users

            return users.users
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xcom-server")
def main() -> None:
    """Serve the XCom part of Airflow's stable REST API, without Airflow.

    Every setting is an environment variable XCOM_…; `xcom-server serve --help` lists them.
    """


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for every setting; what is given wins over the environment."""
    for spec in reversed(fields(Settings)):
        command = click.option(
            "--" + spec.name.replace("_", "-"), metavar=_metavar(spec.name, spec.default),
            help=f"{spec.metadata['help']}"
                 f" [{PREFIX}{spec.name.upper()}, default {str(spec.default).lower()}]",
        )(command)
    return command


def _metavar(name: str, default: object) -> str:
    if isinstance(default, bool):
        return "true|false"
    if name in CHOICES:
        return "|".join(CHOICES[name])
    return {"bind": "HOST:PORT", "database_url": "URL", "users_file": "FILE",
            "token_key_file": "FILE"}.get(name, "N")


@main.command()
@_with_settings
def serve(**given: str | None) -> None:
    """Run the server under gunicorn."""
    options = {PREFIX + name.upper(): text for name, text in given.items() if text is not None}
    try:
        settings = Settings.from_env({**os.environ, **options})
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    os.environ.update(settings.to_env())
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-c", _LAUNCH, "--config",
                              "python:xcom_server.server.gunicorn_conf", "xcom_server.factory:create_app()"])
