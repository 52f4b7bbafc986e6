"""The ``hubbub`` command.

A command imports only what it needs: the server is imported by the commands that run it, and Rich
only for ``--help``.
"""

import os
import sys
from collections.abc import Sequence

import typer

from hubbub.model.errors import HubbubError

FAILED = 1
INTERRUPTED = 130  # what shells expect after Ctrl-C: 128 and the signal's number


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command given by the arguments, and exit. Errors are printed as one sentence."""
    os.umask(0o077)  # other users of this machine must not read people's messages
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    try:
        from hubbub.cli.commands import app

        # In standalone mode Typer would print errors in a box of several lines.
        code = typer.main.get_command(app).main(
            arguments, prog_name="hubbub", standalone_mode=False
        )
    except typer.BadParameter as error:
        return _print_error(bad_value_message(error), error.exit_code)
    except typer.TyperException as error:
        return _print_error(error.format_message(), error.exit_code, _hint(error))
    except HubbubError as error:
        return _print_error(error.message, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED  # while it was still loading
    except typer.Abort:
        return _print_error("Stopped.", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _print_error(sentence: str, code: int, hint: str = "") -> int:
    sentence = sentence if sentence.endswith((".", "?")) else sentence + "."
    typer.echo(f"hubbub: {sentence}{hint}", err=True)
    return code


def bad_value_message(error: typer.BadParameter) -> str:
    """Name the option or variable that has a wrong value, and say what is wrong with it."""
    if error.param is None or error.ctx is None or error.param.name is None or not error.message:
        hint = error.param_hint
        return f"{hint}: {error.message}" if hint else error.format_message()
    source = error.ctx.get_parameter_source(error.param.name)
    if source is None or source.name != "ENVIRONMENT":
        return f"{error.param.opts[0]}: {error.message}"
    # A switch takes a value only as an environment variable.
    is_switch = getattr(error.param, "is_flag", False)
    return f"{error.param.envvar}: {'give true or false.' if is_switch else error.message}"


def _hint(error: typer.TyperException) -> str:
    """Point to the help of the command that was not understood."""
    context = getattr(error, "ctx", None)
    return f" See {context.command_path} --help." if context else ""
