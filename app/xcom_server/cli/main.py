"""The command `xcom-server`: `serve`, and how all commands report errors."""

import os
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from typing import Any

import click

from xcom_server import __version__, errors
from xcom_server.cli import streams
from xcom_server.settings import CHOICES, PATTERNS, PREFIX, Settings

# The module and the name of each command. The module is imported when the command is called,
# because importing the database library takes 0.2 s.
_COMMANDS = {
    "db": ("xcom_server.cli.database", "db"),
    "export": ("xcom_server.cli.database", "export"),
    "health": ("xcom_server.cli.health", "health"),
    "seed": ("xcom_server.cli.database", "seed_command"),
    "user": ("xcom_server.cli.users", "users"),
}

_METAVARS = {
    "airflow_version": "RELEASE,…",
    "bind": "HOST:PORT",
    "seed": "PATH",
    "database_url": "URL",
    "users_file": "FILE",
    "token_key_file": "FILE",
    "port_file": "FILE",
    "base_path": "PATH",
    "trusted_proxies": "ADDRESS,…",
    "allowed_hosts": "NAME,…",
    "allowed_origins": "ORIGIN,…",
    **dict.fromkeys(PATTERNS, "REGEX"),
    **{name: "|".join(CHOICES[name]) for name in CHOICES},
}


class Commands(click.Group):
    """A group that imports its commands when needed.

    It reports an error that an operator can fix as one line, with exit status 1.
    """

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command line."""
        streams.open_closed_streams()
        return super().main(*args, **options)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Parse a command line; this prints the version."""
        with streams.reported_in_one_line():
            return super().make_context(*args, **options)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments of the command line; raise ClickException for undecodable bytes.

        Python passes such bytes on as surrogates, which fail later, far from their cause.
        """
        for number, argument in enumerate(args, 1):
            try:
                argument.encode()
            except UnicodeEncodeError:
                raise click.ClickException(f"argument {number} is not valid UTF-8") from None
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None if it does not exist."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> None:
        """Run the command that was called."""
        try:
            with streams.reported_in_one_line():
                super().invoke(ctx)
        except errors.Unavailable as error:
            doubt = " It is not known whether anything was stored." if error.in_doubt else ""
            raise click.ClickException(error.reason + doubt) from None
        except (errors.OperatorError, errors.SeedConflict) as error:
            raise click.ClickException(str(error)) from None


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="xcom-server")
def main() -> None:
    """Emulate Airflow's REST API for DAG runs and XCom entries, without Airflow.

    Nothing is scheduled or executed.

    All commands read their settings from environment variables that start with XCOM_. Only `serve`
    also has options for them; `xcom-server serve --help` lists all settings.
    """


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for every setting; an option overrides the environment variable.

    An option of a boolean without a value sets it to true.  A secret setting has no option, because
    all users of a machine can list processes with their options.
    """
    for spec in reversed([each for each in fields(Settings) if not each.metadata["is_secret"]]):
        is_boolean = isinstance(spec.default, bool)
        word = "true|false" if is_boolean else "N"
        options: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if is_boolean else {}
        command = click.option(
            "--" + spec.name.replace("_", "-"),
            metavar=_METAVARS.get(spec.name, word),
            help=f"{spec.metadata['help']}"
            f" [{PREFIX}{spec.name.upper()}, default {_shown(spec.default)}]",
            **options,
        )(command)
    return command


def _shown(default: object) -> str:
    """Return a default as it is written in an environment variable; "empty" for no text."""
    return str(default).lower() if isinstance(default, bool) else str(default) or "empty"


@main.command()
@_with_settings
def serve(**given: str | None) -> None:
    """Run the server under gunicorn.

    Each option overrides the environment variable shown in brackets before its default. An option
    that is true or false is true without a value.
    """
    options = {PREFIX + name.upper(): text for name, text in given.items() if text is not None}
    settings = Settings.from_env({**os.environ, **options})
    os.environ.pop("WEB_CONCURRENCY", None)  # unlike XCOM_WORKERS, an invalid one is a traceback
    from xcom_server.server import launch  # imports gunicorn, which no other command needs

    launch.run(settings)
