"""The server's own state: epoch, signing key, and the settings that an owner may change."""

from hubbub.actions.access import require_on_server
from hubbub.actions.registry import handles
from hubbub.model.accounts import (
    Actor,
    Prepare,
    SigningKey,
    StartupState,
    StoreSigningKey,
    UpdateServer,
)
from hubbub.model.names import LOBBY
from hubbub.model.outcome import Outcome, SettingsChanged
from hubbub.model.policy import Action, RoomKind
from hubbub.store.tx import Tx


@handles(Prepare)
def prepare(tx: Tx, actor: Actor, command: Prepare) -> Outcome[StartupState]:
    """Create the epoch and the lobby at the first start, and return the stored settings.

    The epoch is renewed if this database has issued fewer revs than were published from this data
    folder (an older copy was restored), or if it was copied without its data folder: clients must
    then discard their state and start over.
    """
    values = tx.server_values()
    total = tx.total_rev()
    moved = command.shown is None and total > 0 and not command.shared
    older = command.shown is not None and command.shown > total
    if "epoch" not in values or moved or older:
        values["epoch"] = tx.random_id()
        tx.set_server_value("epoch", values["epoch"])
    if tx.room(LOBBY) is None:
        tx.add_room(
            room_id=LOBBY,
            kind=RoomKind.PUBLIC,
            title="Lobby",
            topic="Where everybody begins",
        )
    return Outcome(StartupState(values=values, total=total, needs_owner=tx.count_owners() == 0))


@handles(StoreSigningKey)
def store_signing_key(tx: Tx, actor: Actor, command: StoreSigningKey) -> Outcome[SigningKey]:
    """Store the key unless there is one already; returns the one that is stored."""
    stored = tx.secret()
    if stored is None:
        stored = bytes.fromhex(command.key)
        tx.set_secret(stored)
    return Outcome(SigningKey(key=stored.hex()))


@handles(UpdateServer)
def update_server(tx: Tx, actor: Actor, command: UpdateServer) -> Outcome[StartupState]:
    require_on_server(actor, Action.MANAGE_SERVER)
    given = {
        "name": command.name,
        "registration": command.registration,
        "guests": None if command.guests is None else str(int(command.guests)),
    }
    for key, value in given.items():
        if value is not None:
            tx.set_server_value(key, value)
    effect = settings_changed(tx)
    reply = StartupState(values=effect.values, total=tx.total_rev(), needs_owner=effect.needs_owner)
    return Outcome(reply, [effect])


def settings_changed(tx: Tx) -> SettingsChanged:
    """The server's present settings as an effect for all nodes."""
    return SettingsChanged(tx.server_values(), tx.count_owners() == 0)
