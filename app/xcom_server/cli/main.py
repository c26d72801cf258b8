"""The command `xcom-server`: `serve`, and a group that imports the other commands on demand."""

import os
from collections.abc import Callable
from dataclasses import fields

import click

from xcom_server import __version__
from xcom_server.cli.errors import report_errors
from xcom_server.settings import CHOICES, PREFIX, Settings


class Commands(click.Group):
    """A group that imports a command when it is used, so that each starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands in the order of the help."""
        return ["db", "export", "seed", "serve", "user"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name, or None."""
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
    """Add an option for every setting; an option overrides the environment variable."""
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
    with report_errors():
        settings = Settings.from_env({**os.environ, **options})
    from xcom_server.server import launch

    launch.run(settings)
