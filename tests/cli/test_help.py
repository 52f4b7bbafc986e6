"""`--help`: what a newcomer reads first, in a terminal of 80 columns."""

import inspect
import re

import pytest
import typer

from hubbub.cli.commands import app
from hubbub.cli.options import settings_of, shown
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
    """The options that the command takes, as the program itself knows them."""
    found = typer.main.get_command(app)
    for word in command.split():
        found = found.commands[word]  # type: ignore[attr-defined]  # a group, which has them
    return [
        opt
        for param in found.params
        if isinstance(param, typer.core.TyperOption)
        for opt in (*param.opts, *param.secondary_opts)
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_fits_80_columns(command: str) -> None:
    told = hubbub(*command.split(), "--help")

    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= 80
    assert "…│" not in told.out, "nothing is cut off"
    for option in options_of(command):
        assert re.search(rf"(?<!\S){option}(?!\S)", told.out), f"{option} is not named"


def test_help_tells_each_option_in_one_line_with_its_default() -> None:
    told = hubbub("serve", "--help").out
    defaults = Settings()
    lines = {found[1]: found[0] for found in re.finditer(r"│ (--[a-z-]+) .*│", told)}

    for name in inspect.signature(settings_of).parameters:
        line = lines[f"--{name.replace('_', '-')}"]
        assert re.search(r"[a-z]{2}", line.split("  ")[-1] + line[40:]), f"{line} tells nothing"
        if default := shown(getattr(defaults, name, None)):
            assert f"[{default}]" in line


def test_the_overview_names_every_command_with_what_it_does() -> None:
    told = hubbub("--help").out

    for command in ("try", "serve", "doctor", "invite", "user"):
        assert re.search(rf"│ {command} +[A-Z][^│]+\. +│", told), command
    assert "HUBBUB_PUBLIC_URL" in told, "how settings are called in the environment"


def test_without_a_command_the_overview_is_shown() -> None:
    assert hubbub().out == hubbub("--help").out
    assert hubbub("user").out == hubbub("user", "--help").out


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"hubbub \d+\.\d+\.\d+\S*\n", hubbub("--version").out)
