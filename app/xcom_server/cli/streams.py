"""Standard input, output and error of a command, any of which its caller may have closed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


def open_closed_streams() -> None:
    """Open `/dev/null` in place of each closed stream.

    Otherwise the next file or socket that is opened gets the number of the stream, and what a
    library writes to the stream gets into it; `sys.stdin` and the others are None.
    """
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


@contextmanager
def reported_in_one_line() -> Iterator[None]:
    """Report an error of the operating system in one line, such as a full disk of the output."""
    try:
        yield
    except BrokenPipeError:
        raise  # click ends the command silently
    except OSError as error:
        raise click.ClickException(_reason(error)) from None


def _reason(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the current directory does not exist"
    return error.strerror or str(error)
