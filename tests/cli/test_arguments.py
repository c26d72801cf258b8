"""Arguments that are not UTF-8 are one error, whatever the command."""

import pytest

from tests.support.cli import outcome, run_command

UNDECODABLE = b"\xff.json".decode(errors="surrogateescape")  # as Python passes it on


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["user", "add", "ann", "--role", "op", "--dag"],
        ["user", "remove"],
        ["seed"],
        ["export"],
        ["db", "upgrade"],
        ["serve", "--users-file"],
        ["serve", "--bind"],
    ],
    ids=" ".join,
)
def test_undecodable_argument_is_named_in_one_line(arguments: list[str]) -> None:
    result = run_command(*arguments, UNDECODABLE)

    message = f"Error: argument {len(arguments) + 1} is not valid UTF-8\n"
    assert outcome(result) == (1, "", message)


def test_argument_of_an_option_with_an_equals_sign_is_checked_too() -> None:
    result = run_command("serve", f"--users-file={UNDECODABLE}")

    assert outcome(result) == (1, "", "Error: argument 2 is not valid UTF-8\n")
