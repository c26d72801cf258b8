"""The command `xcom-server` in this process, which is quicker than starting it."""

from click.testing import CliRunner, Result
from xcom_server.cli.main import main


def run_command(
    *arguments: str, stdin: str | bytes = "", environ: dict[str, str] | None = None
) -> Result:
    """Run `xcom-server` and return its result; an exception that it does not handle is raised."""
    return CliRunner().invoke(
        main,
        list(arguments),
        input=stdin,
        env=environ,
        catch_exceptions=False,
        prog_name="xcom-server",
    )


def outcome(result: Result) -> tuple[int, str, str]:
    """Return the exit status and what was written to standard output and standard error."""
    return result.exit_code, result.stdout, result.stderr
