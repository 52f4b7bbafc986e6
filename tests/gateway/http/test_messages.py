"""Messages over HTTP: posting, editing, deleting, history, changes."""

import json
import threading
from typing import Any

import pytest

from tests.support.site import Answer, Caller, Site


def _messages(room: str, rest: str = "") -> str:
    return f"/api/rooms/{room}/messages{rest}"


def _history(by: Caller, room: str, query: str = "") -> list[Any]:
    return list(by.get(_messages(room, query)).ok()["messages"])


def _seqs(by: Caller, room: str, query: str) -> list[int]:
    return [message["seq"] for message in _history(by, room, query)]


def test_a_post_is_numbered_and_dated(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    first = ana.post(_messages(room), {"text": "one"}).ok(201)
    second = ana.post(_messages(room), {"text": "two", "reply_to": 1}).ok(201)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert first["rev"] < second["rev"]
    shown = _history(ana, room)
    assert [one["at"] for one in shown] == [first["at"], second["at"]]
    assert [(one["text"], one["by"]) for one in shown] == [("one", ana.name), ("two", ana.name)]
    assert shown[1]["reply_to"] == 1


async def test_a_post_reaches_connected_members(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    async with site.socket(bo) as socket:
        await socket.do("hello")
        posted = ana.post(_messages(room), {"text": "live"}, Idempotency_Key="k-1").ok(201)
        event = await socket.event("message", room=room)
        assert (event["text"], event["seq"], event["nonce"]) == ("live", posted["seq"], "k-1")


def test_a_retry_with_the_same_key_gets_the_first_reply_and_posts_nothing(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    first = ana.post(_messages(room), {"text": "once"}, Idempotency_Key="key").ok(201)
    again = ana.post(_messages(room), {"text": "once"}, Idempotency_Key='"key"').ok(201)
    in_body = ana.post(_messages(room), {"text": "once", "nonce": "key"}).ok(201)
    assert first == again == in_body
    assert ana.texts(room) == ["once"]
    bo.post(_messages(room), {"text": "once"}, Idempotency_Key="key").ok(201)
    ana.post(_messages(ana.room()), {"text": "once"}, Idempotency_Key="key").ok(201)
    assert ana.texts(room) == ["once", "once"]


def test_many_retries_at_once_are_one_post(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    answers: list[Answer] = []

    def post() -> None:
        answers.append(ana.post(_messages(room), {"text": "once"}, Idempotency_Key="key"))

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.body for answer in answers}) == 1
    assert {answer.status for answer in answers} == {201}
    assert ana.texts(room) == ["once"]


def test_one_key_for_two_texts_is_a_conflict(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    ana.post(_messages(room), {"text": "one"}, Idempotency_Key="key").ok(201)
    ana.post(_messages(room), {"text": "two"}, Idempotency_Key="key").refused(409, "conflict")
    differs = {"text": "one", "nonce": "other"}
    ana.post(_messages(room), differs, Idempotency_Key="key").refused(422, "invalid")
    assert ana.texts(room) == ["one"]


@pytest.mark.parametrize("key", ["", '""', "x" * 65, "k\u00e9y"])
def test_an_invalid_key_is_refused(site: Site, key: str) -> None:
    ana = site.person()
    room = ana.room()
    answer = ana.post(_messages(room), {"text": "hi"}, Idempotency_Key=key)
    answer.refused(400, "malformed")
    assert ana.texts(room) == []


def test_only_the_author_can_edit_and_the_message_is_marked_edited(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    seq = bo.say(room, "tpyo")
    ana.patch(_messages(room, f"/{seq}"), {"text": "mine"}).refused(403, "forbidden")
    bo.patch(_messages(room, f"/{seq}"), {"text": "typo"}).ok()
    [message] = _history(ana, room)
    assert message["text"] == "typo"
    assert message["edited_at"] >= message["at"]


def test_a_deleted_message_leaves_a_tombstone_without_text(site: Site) -> None:
    ana, bo, cy = site.people(3)
    room = ana.room(bo, cy)
    first, second = bo.say(room, "one"), bo.say(room, "two")
    cy.delete(_messages(room, f"/{first}")).refused(403, "forbidden")
    bo.delete(_messages(room, f"/{first}")).ok()
    ana.delete(_messages(room, f"/{second}")).ok()
    for message in _history(cy, room):
        assert message["deleted"] is True
        assert "text" not in message
    once, again = (bo.delete(_messages(room, f"/{first}")).ok() for _ in range(2))
    assert once == again
    bo.patch(_messages(room, f"/{first}"), {"text": "back"}).refused(404, "not_found")


@pytest.mark.parametrize("seq", ["2", "999999"])
def test_a_missing_message_is_answered_not_found(site: Site, seq: str) -> None:
    ana = site.person()
    room = ana.room()
    ana.say(room)
    ana.patch(_messages(room, f"/{seq}"), {"text": "x"}).refused(404, "not_found")
    ana.delete(_messages(room, f"/{seq}")).refused(404, "not_found")


@pytest.mark.parametrize("seq", ["0", "-1", "x", "1.5", "9007199254740992", "%20"])
def test_a_seq_that_is_no_number_is_refused(site: Site, seq: str) -> None:
    ana = site.person()
    room = ana.room()
    ana.patch(_messages(room, f"/{seq}"), {"text": "x"}).refused(400, "malformed")
    ana.delete(_messages(room, f"/{seq}")).refused(400, "malformed")


@pytest.mark.parametrize("text", ["", "  \n ", "a\x00b", "\x1b[31m", "\ud800", "\uffff"])
def test_an_invalid_text_is_refused(site: Site, text: str) -> None:
    ana = site.person()
    room = ana.room()
    answer = ana.post(_messages(room), {"text": text})
    assert answer.status in (400, 422), answer
    assert answer.json["detail"]
    assert ana.texts(room) == []


def test_a_text_may_have_16000_characters_of_any_kind(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    text = "漢" * 15_999 + "🎈"
    assert len(json.dumps({"text": text})) > 95_000
    ana.post(_messages(room), {"text": text}).ok(201)
    ana.post(_messages(room), {"text": text + "x"}).refused(413, "too_large")
    assert ana.texts(room) == [text]


def test_unicode_is_returned_unchanged(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    text = "e\u0301 👩‍👩‍👧 \u202eRTL\u202c ＡＢＣ\tקפה\nnext"
    ana.say(room, text)
    assert ana.texts(room) == [text]


def test_history_is_paged_in_both_directions(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    for n in range(1, 12):
        ana.say(room, f"m{n}")
    assert _seqs(ana, room, "?limit=4") == [8, 9, 10, 11]
    assert _seqs(ana, room, "?limit=4&before=8") == [4, 5, 6, 7]
    assert _seqs(ana, room, "?limit=4&before=1") == []
    assert _seqs(ana, room, "?limit=4&after=0") == [1, 2, 3, 4]
    assert _seqs(ana, room, "?limit=4&after=9") == [10, 11]
    assert _seqs(ana, room, "?limit=4&after=11") == []


def test_history_can_be_read_around_a_message(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    for n in range(1, 12):
        ana.say(room, f"m{n}")
    assert _seqs(ana, room, "?limit=5&around=6") == [4, 5, 6, 7, 8]
    assert _seqs(ana, room, "?limit=5&around=1") == [1, 2, 3, 4, 5]
    assert 11 in _seqs(ana, room, "?limit=5&around=11")
    assert _seqs(ana, room, "?limit=1&around=6") == [6]


def test_a_page_says_whether_there_is_more_on_either_side(site: Site) -> None:
    ana, bo = site.people(2)
    room = ana.room(bo)
    for n in range(1, 6):
        (ana if n % 2 else bo).say(room, f"m{n}")
    for query, more in {
        "?limit=5": (False, False),
        "?limit=2": (True, False),
        "?limit=2&after=0": (False, True),
        "?limit=1&around=3": (True, True),
    }.items():
        page = ana.get(_messages(room, query)).ok()
        assert (page["more_before"], page["more_after"]) == more, query
    page = ana.get(_messages(room)).ok()
    assert {one["name"] for one in page["people"]} == {ana.name, bo.name}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?limit=0", 400),
        ("?limit=201", 400),
        ("?limit=many", 400),
        ("?before=0", 400),
        ("?after=-1", 400),
        ("?before=99999999999999999999", 400),
        ("?before=3&after=1", 422),
        ("?before=", 200),
        ("?unknown=1", 200),
    ],
)
def test_an_invalid_page_is_refused(site: Site, query: str, status: int) -> None:
    ana = site.person()
    assert ana.get(_messages(ana.room(), query)).status == status


def test_each_changed_message_is_returned_once_in_its_present_state(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    first = ana.post(_messages(room), {"text": "one"}).ok(201)
    ana.say(room, "two")
    ana.say(room, "three")
    ana.patch(_messages(room, "/1"), {"text": "ONE"}).ok()
    ana.delete(_messages(room, "/2")).ok()
    ana.patch(f"/api/rooms/{room}", {"title": "Changed"}).ok()
    changes = ana.get(f"/api/rooms/{room}/changes?after={first['rev']}").ok()
    assert [one["on"] for one in changes["events"]] == ["message"] * 3 + ["room"]
    assert [one.get("text") for one in changes["events"][:3]] == ["three", "ONE", None]
    assert changes["events"][2]["deleted"] is True
    assert (changes["more"], changes["reset"]) == (False, False)
    assert changes["through"] == changes["events"][-1]["rev"] == ana.rooms()[room]["rev"]
    none = ana.get(f"/api/rooms/{room}/changes?after={changes['through']}").ok()
    assert none["events"] == []


def test_a_rev_above_the_head_is_answered_with_a_reset(site: Site) -> None:
    ana = site.person()
    room = ana.room()
    ana.say(room, "one")
    changes = ana.get(f"/api/rooms/{room}/changes?after=999").ok()
    assert changes["reset"] is True
    assert changes["events"][0] == {"on": "reset", "room": room}
    assert changes["events"][-1]["text"] == "one"


@pytest.mark.parametrize("query", ["", "?after=", "?after=x", "?after=-1"])
def test_changes_need_a_rev(site: Site, query: str) -> None:
    site.person().get(f"/api/rooms/lobby/changes{query}").refused(400, "malformed")


def test_only_members_are_mentioned(site: Site) -> None:
    ana, bo, cy = site.people(3)
    room = ana.room(bo)
    ana.say(room, f"@{bo.name} @{cy.name} @nobody and me@{ana.name}")
    [message] = _history(ana, room)
    assert message["mentions"] == [bo.name]
    assert bo.rooms()[room]["mentions"] == 1
