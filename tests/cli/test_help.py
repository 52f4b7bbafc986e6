"""The output of `--help` in a terminal of 80 columns."""

import inspect
import re

import pytest
import typer

from hubbub.cli.commands import app
from hubbub.cli.options import format_value, settings_of
from hubbub.model.settings import Settings
from tests.support.command import hubbub

COMMANDS = (
    "",
    "try",
    "serve",
    "doctor",
    "move",
    "invite",
    "user",
    "user add",
    "user password",
    "user disable",
)


def options_of(command: str) -> list[str]:
    """The options that the program defines for a command."""
    found = typer.main.get_command(app)
    for word in command.split():
        found = found.commands[word]  # type: ignore[attr-defined]  # it is a group
    return [
        opt
        for param in found.params
        if isinstance(param, typer.core.TyperOption)
        for opt in (*param.opts, *param.secondary_opts)
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_fits_80_columns(command: str) -> None:
    output = hubbub(*command.split(), "--help")

    assert (output.code, output.err) == (0, "")
    assert max(map(len, output.out.splitlines())) <= 80
    assert "…│" not in output.out, "nothing is truncated"
    for option in options_of(command):
        assert re.search(rf"(?<!\S){option}(?!\S)", output.out), f"{option} is not named"


def test_help_describes_each_option_in_one_line_with_its_default() -> None:
    output = hubbub("serve", "--help").out
    defaults = Settings()
    lines = {found[1]: found[0] for found in re.finditer(r"│ (--[a-z-]+) .*│", output)}

    for name in inspect.signature(settings_of).parameters:
        line = lines[f"--{name.replace('_', '-')}"]
        assert re.search(r"[a-z]{2}", line.split("  ")[-1] + line[40:]), (
            f"{line} has no description"
        )
        if default := format_value(getattr(defaults, name, None)):
            assert f"[{default}]" in line


def test_the_overview_names_every_command_with_what_it_does() -> None:
    output = hubbub("--help").out

    for command in ("try", "serve", "doctor", "invite", "user"):
        assert re.search(rf"│ {command} +[A-Z][^│]+\. +│", output), command
    assert "HUBBUB_PUBLIC_URL" in output, "the name of a setting's variable"


def test_without_a_command_the_overview_is_shown() -> None:
    assert hubbub().out == hubbub("--help").out
    assert hubbub("user").out == hubbub("user", "--help").out


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"hubbub \d+\.\d+\.\d+\S*\n", hubbub("--version").out)
