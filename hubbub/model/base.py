"""Base classes and field types that all wire types share."""

from typing import Annotated, Any

import msgspec

Millis = int
"""Milliseconds since the epoch, by the server's clock."""

ID_MAX = 64  # characters accepted for a handle or a room id; real ones are shorter

Seq = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1, description="A message's number in its room")]
Rev = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1, description="A room's count of changes")]
UserName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=ID_MAX, description="A person's handle")
]
RoomId = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX, description="A room's id")]
Nonce = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=64, description="Unique per room and author, for retries"
    ),
]


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do"):
    """A request to change or read something. The reply repeats ``id``, a number of the client's."""

    id: int | None = None

    @classmethod
    def word(cls) -> str:
        return str(cls.__struct_config__.tag)


class Query(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A command that only reads."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="on"):
    """A message from the server to clients about a change."""

    @classmethod
    def word(cls) -> str:
        return str(cls.__struct_config__.tag)


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of replies and events. Fields at their default are left out on the wire."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a command; all fields are always present."""


class Done(Reply, frozen=True, kw_only=True):
    """The answer to a command that returns no data."""


def set_canonical(command: Any, field: str, value: Any) -> None:
    """Set a field of a frozen struct to its canonical form; only for its ``__post_init__``."""
    msgspec.structs.force_setattr(command, field, value)
