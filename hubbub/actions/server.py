"""What each start needs, and what the owner may change of the server itself."""

from hubbub.actions.access import require_on_server
from hubbub.actions.registry import handles
from hubbub.model.accounts import Actor, KeepKey, KeyKept, Prepare, Prepared, UpdateServer
from hubbub.model.names import LOBBY
from hubbub.model.outcome import Outcome, SettingsChanged
from hubbub.model.policy import Action, RoomKind
from hubbub.store.tx import Tx


@handles(Prepare)
def prepare(tx: Tx, actor: Actor, command: Prepare) -> Outcome[Prepared]:
    """Make sure of an epoch and a lobby.

    The epoch is renewed if this database is older than what was shown from this folder, or if
    it came here without its folder: clients must then drop what they have and start over.
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
    return Outcome(Prepared(values=values, total=total, needs_owner=tx.owners() == 0))


@handles(KeepKey)
def keep_key(tx: Tx, actor: Actor, command: KeepKey) -> Outcome[KeyKept]:
    kept = tx.secret()
    if kept is None:
        kept = bytes.fromhex(command.key)
        tx.set_secret(kept)
    return Outcome(KeyKept(key=kept.hex()))


@handles(UpdateServer)
def update_server(tx: Tx, actor: Actor, command: UpdateServer) -> Outcome[Prepared]:
    require_on_server(actor, Action.MANAGE_SERVER)
    given = {
        "name": command.name,
        "registration": command.registration,
        "guests": None if command.guests is None else str(int(command.guests)),
    }
    for key, value in given.items():
        if value is not None:
            tx.set_server_value(key, value)
    now = settings(tx)
    reply = Prepared(values=now.values, total=tx.total_rev(), needs_owner=now.needs_owner)
    return Outcome(reply, [now])


def settings(tx: Tx) -> SettingsChanged:
    """What all nodes are told of the server as it is from now on."""
    return SettingsChanged(tx.server_values(), tx.owners() == 0)
