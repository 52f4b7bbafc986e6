"""`hubbub doctor`: what is wrong with this server, and what to do about it."""

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
WIDTH = 17  # of what was looked at
STATES = ("ok", "warning", "problem")

Full = Annotated[
    bool, typer.Option("--full", help="Compare the database's indexes too; takes longer.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a list of objects for programs.")]


class Forgiving(TyperCommand):
    """Takes every setting that is valid, and notes in ``context.obj`` what is wrong with others."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        wrong: dict[str, typer.BadParameter] = {}
        ctx.obj = wrong
        while True:
            try:
                return super().parse_args(ctx, list(args))
            except typer.BadParameter as error:
                if error.param is None or not error.param.name or error.param.name in wrong:
                    raise
                wrong[error.param.name] = error
                # From now on as if it had not been given.
                error.param.type = _nothing  # type: ignore[assignment]  # it is only ever called


def _nothing(value: object, param: object = None, ctx: object = None) -> None:
    return None


def with_all_settings(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every setting as an option beside its own; it is handed them as ``given``.

    Typer reads signature and annotations.
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
    """Look for what is wrong, and say what to do about it."""
    from hubbub.cli.checks import examine

    settings, wrong = valid_of(given, context.obj)
    findings = examine(settings, wrong, full=full)
    states = tell_json(findings) if as_json else tell(findings)
    if states["problem"]:
        raise typer.Exit(PROBLEMS)


def valid_of(
    given: dict[str, Any], wrong: dict[str, typer.BadParameter]
) -> tuple[Settings, list[str]]:
    """The settings, with the defaults of those that are wrong; and a sentence about each of these.

    ``wrong`` by the setting's name.
    """
    from hubbub.cli import wrong_value

    told = [wrong_value(error) for error in wrong.values()]
    kept = {name: value for name, value in given.items() if name not in wrong}
    if "database" in wrong:  # then it is no mistake that these are given
        kept |= {"bus": None, "workers": None}
    while True:
        try:
            return settings_of(**kept), told
        except typer.BadParameter as error:  # one that does not go with another
            told.append(wrong_value(error))
            del kept[str(error.param_hint).removeprefix("--").replace("-", "_")]


def tell(findings: Iterable["Finding"]) -> Counter[str]:
    """A line for each, and below it what to do; how many there were of each state."""
    states = Counter[str]()
    for one in findings:
        states[one.state] += 1
        typer.echo(f"{one.state:<8} {one.name:<{WIDTH}} {one.sentence}")
        if one.do:
            typer.echo(f"{'':<8} {'':<{WIDTH}} → {one.do}")
    counts = [_counted(state, states[state]) for state in STATES if states[state]]
    typer.echo(f"\n{', '.join(counts)}.")
    return states


def _counted(state: str, count: int) -> str:
    return f"{count} {state}" + ("s" if count != 1 and state != "ok" else "")


def tell_json(findings: Iterable["Finding"]) -> Counter[str]:
    """``[{"name", "state", "sentence", "do"}, …]``, one to a line."""
    import msgspec

    told = list(findings)
    lines = ",\n".join(msgspec.json.encode(one).decode() for one in told)
    typer.echo(f"[\n{lines}\n]")
    return Counter(one.state for one in told)
