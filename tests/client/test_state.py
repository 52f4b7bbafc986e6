"""After any interleaving of posts, edits, deletes, marks, losses, retries and reconnects every
client's state equals the database. This tests the sync rule without a socket."""

import copy

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from hubbub.client import ClientState, SyncReply
from hubbub.model.accounts import MyProfile
from hubbub.model.base import Event
from hubbub.model.marks import Marks
from hubbub.model.messages import Message, Sync
from tests.client.model_server import PAGE, ModelServer, Room
from tests.support.soak import tries

ROOMS = ("lobby", "tea")
CLIENTS = 2
names = st.sampled_from(ROOMS)
clients = st.integers(0, CLIENTS - 1)
picks = st.integers(0, 10_000)

# A delivery to a client: one event, or a sync's events with its reply.
Envelope = list[Event] | tuple[list[Event], Sync, SyncReply]


class Device:
    """A client's state, and the events and replies on their way to it."""

    def __init__(self, keep: int) -> None:
        self.state = ClientState(keep)
        self.live: list[Event] = []
        self.replies: list[tuple[list[Event], Sync, SyncReply]] = []
        self.is_connected = False
        # Whether it has lost events since the server last sent it the heads of the rooms.
        self.has_lost = False


class AnyOrder(RuleBasedStateMachine):
    """Live events may be lost, repeated and reordered; replies may be late.

    A reconnect drops everything on its way. In the end nothing is lost, and each client's state
    must equal the server's.
    """

    nonces = Bundle("nonces")

    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer({name: Room(name) for name in ROOMS})
        self.copy: ModelServer | None = None
        self.epochs = 1
        self.nonce = 0
        self.devices = [Device(keep=3 if nth == 0 else 1_000) for nth in range(CLIENTS)]

    @initialize()
    def everyone_connects(self) -> None:
        for device in self.devices:
            self._reconnect(device, set(ROOMS))

    # On the server

    def _send_event(self, event: Event) -> None:
        for device in self.devices:
            if device.is_connected:
                device.live.append(event)

    @rule(target=nonces, name=names, by=clients)
    def post(self, name: str, by: int) -> tuple[str, int, str]:
        self.nonce += 1
        nonce = f"n{self.nonce}"
        self._post(name, by, nonce)
        return name, by, nonce

    @rule(post=nonces)
    def a_post_whose_ack_was_lost_comes_again(self, post: tuple[str, int, str]) -> None:
        self._post(*post)

    def _post(self, name: str, by: int, nonce: str) -> None:
        message, is_new = self.server.post(name, f"user-{by}", f"{name} {nonce}", nonce)
        if is_new:
            self._send_event(message)

    @rule(name=names, times=st.integers(2, 8))
    def post_many(self, name: str, times: int) -> None:
        for _ in range(times):
            self.post(name, 0)

    @rule(name=names, edited=st.lists(picks, min_size=1, max_size=8))
    def edit(self, name: str, edited: list[int]) -> None:
        room = self.server.rooms[name]
        for pick in edited if room.seq else ():
            seq = 1 + pick % room.seq
            if not room.messages[seq].deleted:
                text = f"changed at {room.rev}"
                self._send_event(self.server.change(name, seq, text=text, edited_at=1))

    @rule(name=names, pick=picks)
    def delete(self, name: str, pick: int) -> None:
        room = self.server.rooms[name]
        if room.seq:
            self._send_event(self.server.delete(name, 1 + pick % room.seq))

    @rule(name=names, marked=st.lists(st.tuples(picks, st.sets(st.sampled_from("abc")))))
    def react(self, name: str, marked: list[tuple[int, set[str]]]) -> None:
        room = self.server.rooms[name]
        for pick, who in marked if room.seq else ():
            seq = 1 + pick % room.seq
            if not room.messages[seq].deleted:
                self._send_event(self.server.mark(name, seq, *sorted(who)))

    @rule(name=names)
    def rename(self, name: str) -> None:
        self._send_event(self.server.rename(name, f"Title {self.server.rooms[name].rev}"))

    @precondition(lambda self: self.copy is None)
    @rule()
    def copy_the_database(self) -> None:
        self.copy = copy.deepcopy(self.server)

    @precondition(lambda self: self.copy is not None)
    @rule()
    def restore_the_copy(self) -> None:
        assert self.copy
        self.server, self.copy = self.copy, None
        self.epochs += 1
        self.server.epoch = str(self.epochs)
        for device in self.devices:
            self._disconnect(device)

    # On the network

    @rule(client=clients, which=st.lists(picks, min_size=1, max_size=8), again=st.booleans())
    def events_come_in_any_order(self, client: int, which: list[int], again: bool) -> None:
        device = self.devices[client]
        for pick in which:
            if device.live:
                place = pick % len(device.live)
                event = device.live[place] if again else device.live.pop(place)
                device.state.apply(event)

    @rule(client=clients, which=st.lists(picks, min_size=1, max_size=3))
    def events_are_lost(self, client: int, which: list[int]) -> None:
        device = self.devices[client]
        for pick in which:
            if device.live:
                device.live.pop(pick % len(device.live))
                device.has_lost = True

    @rule(client=clients)
    def all_events_are_lost_and_it_learns_that_it_is_behind(self, client: int) -> None:
        device = self.devices[client]
        if device.is_connected:
            device.live.clear()
            device.state.apply(self.server.behind())
            device.has_lost = False

    @rule(client=clients)
    def it_requests_what_is_missing(self, client: int) -> None:
        self._ask(self.devices[client])

    def _ask(self, device: Device) -> bool:
        query = device.state.next_query() if device.is_connected else None
        if query is None:
            return False
        assert not isinstance(query, MyProfile)
        device.replies.append((*self._sync_reply(query),))
        return True

    def _sync_reply(self, query: Sync) -> tuple[list[Event], Sync, SyncReply]:
        events, reply = self.server.sync(query)
        return events, query, reply

    @rule(client=clients)
    def a_reply_comes(self, client: int) -> None:
        self._deliver_reply(self.devices[client])

    def _deliver_reply(self, device: Device) -> None:
        if device.replies:
            events, asked, reply = device.replies.pop(0)
            for event in events:
                device.state.apply(event)
            device.state.on_reply(asked, reply)

    @rule(client=clients, caught_up=st.sets(names))
    def it_reconnects(self, client: int, caught_up: set[str]) -> None:
        self._reconnect(self.devices[client], caught_up)

    @rule(client=clients)
    def it_is_cut_off(self, client: int) -> None:
        self._disconnect(self.devices[client])

    def _disconnect(self, device: Device) -> None:
        device.live.clear()
        device.replies.clear()
        device.is_connected = False
        device.state.on_disconnected()

    def _reconnect(self, device: Device, caught_up: set[str]) -> None:
        self._disconnect(device)
        device.is_connected = True
        device.has_lost = False
        welcome, events = self.server.hello(device.state.hello(), caught_up)
        device.state.on_welcome(welcome)
        for event in events:
            device.state.apply(event)
        device.state.on_welcome_complete()

    # Invariants

    @invariant()
    def at_most_one_sync_per_room_is_pending(self) -> None:
        for device in self.devices:
            asked = [asked.room for _, asked, _ in device.replies]
            assert len(asked) == len(set(asked))

    @invariant()
    def all_changes_up_to_have_are_applied(self) -> None:
        """A client has all changes up to its `have`, which it sends to the server."""
        for device in self.devices:
            if not device.is_connected:
                continue
            for room in device.state.rooms.values():
                truth = self.server.rooms[room.room].messages
                kept = {message.seq: message for message in room.messages}
                for seq, message in truth.items():
                    is_told = max(message.rev, message.marks_rev) <= (room.have or 0)
                    if room.is_settled and seq >= room.start and is_told:
                        assert kept.get(seq) == message

    def teardown(self) -> None:
        for device in self.devices:
            if not device.is_connected:
                self._reconnect(device, set())
            for event in device.live:
                device.state.apply(event)
            if device.has_lost:
                device.state.apply(self.server.behind())
            for _ in range(1_000):
                if not device.replies and not self._ask(device):
                    break
                self._deliver_reply(device)
            self._check_equal(device)

    def _check_equal(self, device: Device) -> None:
        assert device.state.is_settled
        assert set(device.state.rooms) == set(ROOMS)
        for name, truth in self.server.rooms.items():
            room = device.state.rooms[name]
            assert (room.have, room.rev, room.seq) == (truth.rev, truth.rev, truth.seq)
            assert room.info.title == truth.title
            newest = range(room.start or 1, truth.seq + 1)
            assert room.messages == [truth.messages[seq] for seq in newest]
            assert len(room.messages) >= min(truth.seq, PAGE)


AnyOrder.TestCase.settings = settings(
    max_examples=tries(60, many=2_000),
    stateful_step_count=60,
    deadline=None,
    # On a busy machine slowness means nothing.
    suppress_health_check=[HealthCheck.too_slow],
)
test_any_order_of_events_and_answers_ends_with_every_client_equal_to_the_database = (
    AnyOrder.TestCase
)


def message(seq: int, rev: int, text: str = "hi") -> Message:
    return Message(room="tea", seq=seq, rev=rev, by="ana", at=0, text=text)


def connected(have: int = 0) -> ClientState:
    """The state of a client with one room that has as many messages as changes."""
    server = ModelServer({"tea": Room("tea")})
    for nth in range(have):
        server.post("tea", "ana", "hi", f"n{nth}")
    state = ClientState()
    welcome, events = server.hello(state.hello(), {"tea"})
    state.on_welcome(welcome)
    for event in events:
        state.apply(event)
    state.on_welcome_complete()
    return state


def test_have_waits_at_a_gap_and_advances_once_it_is_filled() -> None:
    state = connected()
    room = state.rooms["tea"]
    state.apply(message(2, 2))
    assert (room.have, room.needs_sync) == (0, True)
    state.apply(message(1, 1))
    assert (room.have, room.needs_sync) == (2, False)


def marks(seq: int, rev: int, replies: int) -> Marks:
    return Marks(room="tea", seq=seq, rev=rev, replies=replies)


def test_marks_wait_for_a_message_that_may_still_come() -> None:
    state = connected()
    assert not state.apply(marks(1, 2, replies=3))
    state.apply(message(1, 1))
    [kept] = state.rooms["tea"].messages
    assert (kept.replies, kept.marks_rev, state.rooms["tea"].have) == (3, 2, 2)


def test_marks_of_a_message_that_is_not_kept_only_advance_have() -> None:
    state = connected(have=3)
    state.rooms["tea"].reset()
    state.rooms["tea"].on_caught_up(3)
    assert not state.apply(marks(1, 4, replies=1))
    assert (state.rooms["tea"].have, state.rooms["tea"].messages) == (4, [])


def test_an_edit_does_not_remove_newer_marks() -> None:
    state = connected(have=1)
    state.apply(marks(1, 3, replies=1))
    state.apply(message(1, 2, "edited"))
    [kept] = state.rooms["tea"].messages
    assert (kept.text, kept.replies) == ("edited", 1)


def test_older_marks_do_not_replace_those_that_an_edit_brought() -> None:
    state = connected(have=1)
    state.apply(message(1, 3, "edited"))
    assert not state.apply(marks(1, 2, replies=1))
    assert state.rooms["tea"].messages[0].replies == 0


def test_a_gap_is_requested_once_until_the_reply() -> None:
    state = connected()
    state.apply(message(2, 2))
    asked = state.next_query()
    assert asked == Sync(room="tea", after=0)
    state.apply(message(3, 3))
    assert state.next_query() is None
    state.apply(message(1, 1))
    state.on_reply(asked, SyncReply(through=2))
    assert state.rooms["tea"].have == 3
    assert state.next_query() is None


def test_an_older_state_of_a_message_never_replaces_a_newer_one() -> None:
    state = connected(have=1)
    assert state.apply(message(1, 3, "third"))
    assert not state.apply(message(1, 2, "second"))
    assert [kept.text for kept in state.rooms["tea"].messages] == ["third"]


def test_a_reset_drops_all_messages_and_a_live_event_before_its_page_is_requested_again() -> None:
    """The page is of the moment when it was read, so later live events are not in it."""
    state = connected(have=3)
    room = state.rooms["tea"]
    state.apply(message(6, 6))
    asked = state.next_query()
    assert isinstance(asked, Sync)
    state.apply(message(7, 7))
    server = ModelServer({"tea": Room("tea")})
    for nth in range(6):
        server.post("tea", "ana", "hi", f"n{nth}")
    for event in server.rooms["tea"].latest():
        state.apply(event)
    state.on_reply(asked, SyncReply(through=6, reset=True))
    assert [kept.seq for kept in room.messages] == [5, 6]
    assert state.next_query() == Sync(room="tea", after=6)


def test_a_partial_sync_does_not_count_as_complete() -> None:
    """An edit moves a message behind later ones, so a partial sync may have a gap."""
    state = connected(have=1)
    room = state.rooms["tea"]
    room.on_head(2, 2)
    asked = state.next_query()
    assert isinstance(asked, Sync)
    state.apply(message(3, 3))
    state.on_reply(asked, SyncReply(through=3, more=True))
    assert not room.is_settled
    assert state.next_query() == Sync(room="tea", after=3)
    state.apply(message(2, 4, "edited"))
    state.on_reply(Sync(room="tea", after=3), SyncReply(through=4))
    assert [kept.seq for kept in room.messages] == [1, 2, 3]


def test_a_head_that_was_too_high_is_requested_only_once() -> None:
    state = connected(have=3)
    state.rooms["tea"].on_head(9, 9)
    asked = state.next_query()
    assert isinstance(asked, Sync)
    state.on_reply(asked, SyncReply(through=3))
    assert state.next_query() is None
    assert state.rooms["tea"].seq == 3


def test_the_number_of_kept_messages_is_bounded() -> None:
    state = connected()
    room = state.rooms["tea"]
    for nth in range(1, 2_001):
        state.apply(message(nth, nth))
    assert 500 <= len(room.messages) <= 563
    assert room.messages[-1].seq == 2_000
    assert room.start == room.messages[0].seq
