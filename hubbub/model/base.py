"""The shapes that everything on the wire shares."""

from typing import Annotated, Any

import msgspec

Millis = int
"""Milliseconds since the epoch, by the server's clock."""

ID_MAX = 64  # characters by which a person or a room may be named; what they have is shorter

Seq = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1, description="A message's number in its room")]
Rev = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1, description="A room's count of changes")]
UserName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=ID_MAX, description="A person's handle")
]
RoomId = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX, description="A room's id")]
Nonce = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, description="Unique per room and author: a retry"),
]


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do"):
    """What somebody wants done. ``id`` is the client's number for it, given back in the reply."""

    id: int | None = None

    @classmethod
    def word(cls) -> str:
        return str(cls.__struct_config__.tag)


class Query(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A command that only reads."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="on"):
    """What happened, as everyone concerned is told."""

    @classmethod
    def word(cls) -> str:
        return str(cls.__struct_config__.tag)


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of replies and events. Fields at their default are left out on the wire."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a command answers; all fields are always there."""


class Done(Reply, frozen=True, kw_only=True):
    """Answer of a command that has nothing to tell but that it is done."""


def restate(command: Any, field: str, value: Any) -> None:
    """Put the canonical form into a frozen struct; only for use in its ``__post_init__``."""
    msgspec.structs.force_setattr(command, field, value)
