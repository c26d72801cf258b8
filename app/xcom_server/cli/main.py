"""The command `xcom-server`: `serve`, and how all commands report errors."""

import os
from collections.abc import Callable
from dataclasses import fields

import click

from xcom_server import __version__, errors
from xcom_server.cli import database, users
from xcom_server.settings import CHOICES, PREFIX, Settings

_METAVARS = {
    "bind": "HOST:PORT",
    "database_url": "URL",
    "users_file": "FILE",
    "token_key_file": "FILE",
    **{name: "|".join(CHOICES[name]) for name in CHOICES},
}


class Commands(click.Group):
    """A group that turns errors that an operator can fix into one line and exit status 1."""

    def invoke(self, ctx: click.Context) -> None:
        """Run the command that was called."""
        try:
            super().invoke(ctx)
        except errors.Unavailable as error:
            doubt = " Whether anything was stored is not known." if error.in_doubt else ""
            raise click.ClickException(error.reason + doubt) from None
        except (errors.OperatorError, errors.SeedConflict) as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="xcom-server")
def main() -> None:
    """Serve the XCom part of Airflow's stable REST API, without Airflow.

    Every setting is an environment variable XCOM_…; `xcom-server serve --help` lists them.
    """


for command in (database.db, database.seed_command, database.export, users.users):
    main.add_command(command)


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for every setting; an option overrides the environment variable."""
    for spec in reversed(fields(Settings)):
        word = "true|false" if isinstance(spec.default, bool) else "N"
        command = click.option(
            "--" + spec.name.replace("_", "-"),
            metavar=_METAVARS.get(spec.name, word),
            help=f"{spec.metadata['help']}"
            f" [{PREFIX}{spec.name.upper()}, default {str(spec.default).lower()}]",
        )(command)
    return command


@main.command()
@_with_settings
def serve(**given: str | None) -> None:
    """Run the server under gunicorn."""
    options = {PREFIX + name.upper(): text for name, text in given.items() if text is not None}
    settings = Settings.from_env({**os.environ, **options})
    from xcom_server.server import launch  # gunicorn, which no other command needs

    launch.run(settings)
