"""`hubbub doctor`: finds problems of this server and says what to do about them."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from hubbub.cli.options import settings_of
from hubbub.model.settings import Settings

if TYPE_CHECKING:
    from hubbub.cli.checks.finding import Finding

PROBLEMS = 1  # the exit code when there is at least one
NAME_WIDTH = 17
STATES = ("ok", "warning", "problem")

Full = Annotated[
    bool, typer.Option("--full", help="Compare the database's indexes too; takes longer.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a list of objects for programs.")]


class LenientCommand(TyperCommand):
    """Accepts every valid setting, and collects the errors of the others in ``context.obj``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        errors: dict[str, typer.BadParameter] = {}
        ctx.obj = errors
        while True:
            try:
                return super().parse_args(ctx, list(args))
            except typer.BadParameter as error:
                if error.param is None or not error.param.name or error.param.name in errors:
                    raise
                errors[error.param.name] = error
                # Parse again as if this option had not been given.
                error.param.type = _parse_as_none  # type: ignore[assignment]  # only called


def _parse_as_none(value: object, param: object = None, ctx: object = None) -> None:
    return None


def with_all_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for every setting to a command, which receives them as ``**given``.

    Typer reads the signature and the annotations.
    """

    def run(**given: Any) -> None:
        command(**given)

    own = [one for one in inspect.signature(command).parameters.values() if one.name != "given"]
    settings = inspect.signature(settings_of, eval_str=True).parameters.values()
    together = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *settings)]
    run.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in together}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


@with_all_settings
def doctor(
    context: typer.Context, full: Full = False, as_json: AsJson = False, **given: Any
) -> None:
    """Look for problems, and say what to do about them."""
    from hubbub.cli.checks import examine

    settings, errors = valid_settings(given, context.obj)
    findings = examine(settings, errors, full=full)
    states = print_json(findings) if as_json else print_report(findings)
    if states["problem"]:
        raise typer.Exit(PROBLEMS)


def valid_settings(
    given: dict[str, Any], errors: dict[str, typer.BadParameter]
) -> tuple[Settings, list[str]]:
    """The settings, with defaults in place of invalid ones, and a sentence about each of these.

    ``errors`` are by the setting's name.
    """
    from hubbub.cli import bad_value_message

    sentences = [bad_value_message(error) for error in errors.values()]
    kept = {name: value for name, value in given.items() if name not in errors}
    if "database" in errors:  # these need a database, and one was given
        kept |= {"bus": None, "workers": None}
    while True:
        try:
            return settings_of(**kept), sentences
        except typer.BadParameter as error:  # one that conflicts with another
            sentences.append(bad_value_message(error))
            del kept[str(error.param_hint).removeprefix("--").replace("-", "_")]


def print_report(findings: Iterable["Finding"]) -> Counter[str]:
    """Print each finding and what to do about it; return how many there were of each state."""
    states = Counter[str]()
    for one in findings:
        states[one.state] += 1
        typer.echo(f"{one.state:<8} {one.name:<{NAME_WIDTH}} {one.sentence}")
        if one.do:
            typer.echo(f"{'':<8} {'':<{NAME_WIDTH}} → {one.do}")
    counts = [_format_count(state, states[state]) for state in STATES if states[state]]
    typer.echo(f"\n{', '.join(counts)}.")
    return states


def _format_count(state: str, count: int) -> str:
    return f"{count} {state}" + ("s" if count != 1 and state != "ok" else "")


def print_json(findings: Iterable["Finding"]) -> Counter[str]:
    """Print ``[{"name", "state", "sentence", "do"}, …]``, one object per line."""
    import msgspec

    rows = list(findings)
    lines = ",\n".join(msgspec.json.encode(one).decode() for one in rows)
    typer.echo(f"[\n{lines}\n]")
    return Counter(one.state for one in rows)
