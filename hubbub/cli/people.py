"""Commands for accounts and invites; they work whether the server is running or not."""

import contextlib
import datetime
import getpass
import secrets
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hubbub.cli.address import reachable_url
from hubbub.cli.options import Data, DatabaseUrl, Host, Port, PublicUrl, parse_int, settings_of
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

PANEL = "Accounts and invites, with the server running or not"
INVITE_USES_MAX = 100_000

users = typer.Typer(help="Add, list and lock accounts, and set passwords.")

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
        str | None, typer.Option(help="The name that others see.", metavar="TEXT")
    ] = None,
    role: Annotated[
        Literal["owner", "admin", "member"],
        typer.Option(help="owner, admin or member", metavar="ROLE"),
    ] = "member",
    password_stdin: FromStdin = False,
    bot: Annotated[bool, typer.Option("--bot", help="Give a lasting token, no password.")] = False,
    data: Data = None,
    database: DatabaseUrl = None,
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
    with _connect(settings_of(data=data, database=database), create=True) as client:
        client.ask(command, AccountAdded)
        if session:
            _print_token(client.signing_key(), session, name)
            return
    _print(f"{name} has an account now, as {_with_article(role)}.")


def _print_token(secret: bytes, session: str, name: str) -> None:
    """Print only the token to stdout, so that a script can read it."""
    from hubbub.gateway.auth.tokens import session_token

    _print(
        f"{name} signs in with this token, which is not shown again. It is valid until you "
        f"run: hubbub user disable {name}",
        err=True,
    )
    _print(session_token(secret, session))


@users.command("password")
def password(
    name: Name, password_stdin: FromStdin = False, data: Data = None, database: DatabaseUrl = None
) -> None:
    """Set somebody's password, and end their sessions."""
    command = SetPassword(user=name, password_hash=_hashed_password(password_stdin))
    with _connect(settings_of(data=data, database=database)) as client:
        client.ask(command, Done)
    _print(f"{name} has a new password and is signed out everywhere.")


@users.command("disable")
def disable(
    name: Name,
    enable: Annotated[bool, typer.Option("--enable", help="Let them in again.")] = False,
    data: Data = None,
    database: DatabaseUrl = None,
) -> None:
    """Lock an account and end its sessions at once."""
    with _connect(settings_of(data=data, database=database)) as client:
        client.ask(DisableUser(user=name, disabled=not enable), Done)
    _print(f"{name} can sign in again." if enable else f"{name} is locked out.")


@users.command("list")
def list_(data: Data = None, database: DatabaseUrl = None) -> None:
    """List all accounts."""
    with _connect(settings_of(data=data, database=database)) as client:
        people = _list_users(client)
    if not people:
        _print("There are no accounts yet. Make one: hubbub user add NAME", err=True)
        return
    rows = [("NAME", "DISPLAY NAME", "ROLE"), *(_row(person) for person in people)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _print(line.rstrip())


def _list_users(client: "OperatorClient") -> list[Person]:
    people: list[Person] = []
    more = True
    while more:
        after = people[-1].name if people else ""
        page = client.ask(Users(after=after), UsersPage)
        people += page.users
        more = page.more
    return people


def _row(person: Person) -> tuple[str, str, str]:
    role = f"{person.role}, locked out" if person.disabled else person.role
    return person.name, person.display_name, role


def _days(text: str) -> int:
    return parse_int(text, 1, INVITE_DAYS_MAX, f"a number of days from 1 to {INVITE_DAYS_MAX}")


def _uses(text: str) -> int:
    return parse_int(text, 1, INVITE_USES_MAX, f"a number of people from 1 to {INVITE_USES_MAX}")


def invite(
    days: Annotated[
        int | None,
        typer.Option(help=r"Valid for so many days \[7]", parser=_days, metavar="N"),
    ] = None,
    uses: Annotated[
        int | None,
        typer.Option(help=r"For so many people \[1]", parser=_uses, metavar="N"),
    ] = None,
    owner: Annotated[
        bool, typer.Option("--owner", help="Make the person who joins an owner.")
    ] = False,
    data: Data = None,
    database: DatabaseUrl = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
) -> None:
    """Make a link with which people can join.

    It begins with the address of the running server, or else with the one given here.
    """
    given = {name: value for name, value in {"days": days, "uses": uses}.items() if value}
    if owner and given:
        raise typer.BadParameter(
            "its link is for one person and 7 days. Leave --days and --uses out.",
            param_hint="--owner",
        )
    settings = settings_of(
        data=data, database=database, host=host, port=port, public_url=public_url
    )
    with _connect(settings, create=True) as client:
        made = client.ask(OwnerInvite() if owner else CreateInvite(**given), InviteMade).invite
        url = reachable_url(client.base_url) + made.url
    _print(f"{_describe_invite(made)}:", err=True)
    _print(url)


def _describe_invite(made: ServerInvite) -> str:
    until = datetime.datetime.fromtimestamp(made.expires_at / 1000).astimezone()
    people = "one person" if made.uses == 1 else f"{made.uses} people"
    return f"Good for {people}, until {until:%A, %d %B %Y, %H:%M}"


@contextlib.contextmanager
def _connect(settings: Settings, *, create: bool = False) -> Iterator["OperatorClient"]:
    """A client of the chat in this data folder; see `hubbub.cli.operator_client`."""
    from hubbub import logs

    logs.setup("text")
    from hubbub.cli.operator_client import connect

    with connect(settings, create=create) as client:
        yield client


def _hashed_password(from_stdin: bool) -> str:
    """Ask for a new password, and hash it. Raises Invalid."""
    from hubbub.gateway.auth.passwords import hash_password

    password = _read_password_line() if from_stdin else _prompt_for_password()
    if len(password) > PASSWORD_MAX:
        raise Invalid(f"A password has at most {PASSWORD_MAX} characters.")
    return hash_password(checked_password(password))


def _read_password_line() -> str:
    try:
        return sys.stdin.buffer.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise Invalid("The password is not UTF-8.") from error


def _prompt_for_password() -> str:
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask for a password. Pipe it in: --password-stdin.")
    password = checked_password(getpass.getpass("New password: "))
    if getpass.getpass("Once more: ") != password:
        raise Invalid("The two passwords differ. Nothing was changed.")
    return password


def _with_article(role: str) -> str:
    return f"a {role}" if role == "member" else f"an {role}"


def _print(line: str, *, err: bool = False) -> None:
    typer.echo(line, err=err)
