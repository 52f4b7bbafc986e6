"""Accounts and invites, from the command line; with the server running or not."""

import contextlib
import datetime
import getpass
import secrets
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hubbub.cli.address import for_people
from hubbub.cli.options import Data, Host, Port, PublicUrl, Store, settings_of, whole
from hubbub.model.accounts import (
    INVITE_DAYS_MAX,
    PASSWORD_MAX,
    AccountAdded,
    AddAccount,
    CreateInvite,
    DisableUser,
    InviteMade,
    OwnerInvite,
    ServerInvite,
    SetPassword,
    Users,
    UsersPage,
    checked_password,
)
from hubbub.model.base import Done
from hubbub.model.errors import Invalid
from hubbub.model.messages import Person
from hubbub.model.names import display_name as checked_display_name
from hubbub.model.names import skeleton, user_name
from hubbub.model.policy import ServerRole
from hubbub.model.settings import Settings

if TYPE_CHECKING:
    from hubbub.cli.operator_client import OperatorClient

PANEL = "Let people in, with the server running or not"
INVITE_USES_MAX = 100_000

users = typer.Typer(help="Add, list and lock accounts, and give new passwords.")

Name = Annotated[str, typer.Argument(help="The account's name.", metavar="NAME")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")]


@users.callback(invoke_without_command=True)
def user(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@users.command("add")
def add(
    name: Name,
    display_name: Annotated[
        str | None, typer.Option(help="How they are shown.", metavar="TEXT")
    ] = None,
    role: Annotated[
        Literal["owner", "admin", "member"],
        typer.Option(help="owner, admin or member", metavar="ROLE"),
    ] = "member",
    password_stdin: FromStdin = False,
    bot: Annotated[
        bool, typer.Option("--bot", help="No password, but a token that lasts.")
    ] = False,
    data: Data = None,
    database: Store = None,
) -> None:
    """Make an account."""
    if bot and password_stdin:
        raise typer.BadParameter("a bot has no password.", param_hint="--password-stdin")
    name = user_name(name)
    shown = name if display_name is None else checked_display_name(display_name)
    session = secrets.token_urlsafe(18) if bot else None
    command = AddAccount(
        name=name,
        skeleton=skeleton(name),
        display_name=shown,
        password_hash=None if bot else _hashed_password(password_stdin),
        registration="closed",
        role=ServerRole(role),
        session=session,
        label="Made on the command line" if bot else "",
        lasting=bot,
    )
    with _door(settings_of(data=data, database=database), make=True) as door:
        door.ask(command, AccountAdded)
        if session:
            _tell_token(door.signing_key(), session, name)
            return
    _say(f"{name} has an account now, as {_a(role)}.")


def _tell_token(secret: bytes, session: str, name: str) -> None:
    """The token alone on stdout, so that a script can take it from there."""
    from hubbub.gateway.auth.tokens import session_token

    _say(
        f"{name} signs in with this token, which is not shown again. It is good until you "
        f"run: hubbub user disable {name}",
        err=True,
    )
    _say(session_token(secret, session))


@users.command("password")
def password(
    name: Name, password_stdin: FromStdin = False, data: Data = None, database: Store = None
) -> None:
    """Give somebody a new password, and end their sessions."""
    command = SetPassword(user=name, password_hash=_hashed_password(password_stdin))
    with _door(settings_of(data=data, database=database)) as door:
        door.ask(command, Done)
    _say(f"{name} has a new password and is signed out everywhere.")


@users.command("disable")
def disable(
    name: Name,
    enable: Annotated[bool, typer.Option("--enable", help="Let them in again.")] = False,
    data: Data = None,
    database: Store = None,
) -> None:
    """Lock somebody out, at once and everywhere."""
    with _door(settings_of(data=data, database=database)) as door:
        door.ask(DisableUser(user=name, disabled=not enable), Done)
    _say(f"{name} may come in again." if enable else f"{name} is locked out.")


@users.command("list")
def list_(data: Data = None, database: Store = None) -> None:
    """List all accounts."""
    with _door(settings_of(data=data, database=database)) as door:
        people = _everybody(door)
    if not people:
        _say("There are no accounts yet. Make one: hubbub user add NAME", err=True)
        return
    rows = [("NAME", "DISPLAY NAME", "ROLE"), *(_row(person) for person in people)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _say(line.rstrip())


def _everybody(door: "OperatorClient") -> list[Person]:
    people: list[Person] = []
    more = True
    while more:
        after = people[-1].name if people else ""
        page = door.ask(Users(after=after), UsersPage)
        people += page.users
        more = page.more
    return people


def _row(person: Person) -> tuple[str, str, str]:
    role = f"{person.role}, locked out" if person.disabled else person.role
    return person.name, person.display_name, role


def _days(text: str) -> int:
    return whole(text, 1, INVITE_DAYS_MAX, f"a number of days from 1 to {INVITE_DAYS_MAX}")


def _uses(text: str) -> int:
    return whole(text, 1, INVITE_USES_MAX, f"a number of people from 1 to {INVITE_USES_MAX}")


def invite(
    days: Annotated[
        int | None,
        typer.Option(help=r"Days that it is good \[7]", parser=_days, metavar="N"),
    ] = None,
    uses: Annotated[
        int | None,
        typer.Option(help=r"People that it is for \[1]", parser=_uses, metavar="N"),
    ] = None,
    owner: Annotated[
        bool, typer.Option("--owner", help="For an owner of the server, once.")
    ] = False,
    data: Data = None,
    database: Store = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
) -> None:
    """Make a link by which people may join.

    It begins with the address of the running server, or else with the one given.
    """
    given = {name: value for name, value in {"days": days, "uses": uses}.items() if value}
    if owner and given:
        raise typer.BadParameter(
            "it is good for one person and 7 days; leave --days and --uses out.",
            param_hint="--owner",
        )
    settings = settings_of(
        data=data, database=database, host=host, port=port, public_url=public_url
    )
    with _door(settings, make=True) as door:
        made = door.ask(OwnerInvite() if owner else CreateInvite(**given), InviteMade).invite
        url = for_people(door.base_url) + made.url
    _say(f"{_good_for(made)}:", err=True)
    _say(url)


def _good_for(made: ServerInvite) -> str:
    until = datetime.datetime.fromtimestamp(made.expires_at / 1000).astimezone()
    people = "one person" if made.uses == 1 else f"{made.uses} people"
    return f"Good for {people}, until {until:%A, %d %B %Y, %H:%M}"


@contextlib.contextmanager
def _door(settings: Settings, *, make: bool = False) -> Iterator["OperatorClient"]:
    """The way to the chat in this data folder (see `hubbub.cli.operator_client`)."""
    from hubbub import logs

    logs.setup("text")
    from hubbub.cli.operator_client import door

    with door(settings, make=make) as opened:
        yield opened


def _hashed_password(from_stdin: bool) -> str:
    """Ask for a new password, and hash it. Raises Invalid."""
    from hubbub.gateway.auth.passwords import hash_password

    password = _line_of_stdin() if from_stdin else _asked()
    if len(password) > PASSWORD_MAX:
        raise Invalid(f"A password has at most {PASSWORD_MAX} characters.")
    return hash_password(checked_password(password))


def _line_of_stdin() -> str:
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Invalid("The password is not UTF-8.") from error


def _asked() -> str:
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask for a password. Pipe it in: --password-stdin.")
    password = checked_password(getpass.getpass("New password: "))
    if getpass.getpass("Once more: ") != password:
        raise Invalid("The two are not the same. Nothing was changed.")
    return password


def _a(role: str) -> str:
    return f"a {role}" if role == "member" else f"an {role}"


def _say(line: str, *, err: bool = False) -> None:
    typer.echo(line, err=err)
