"""`hubbub doctor` and what it finds."""

import json
from pathlib import Path

from tests.support.command import hubbub
from tests.support.server import free_port

Findings = dict[str, dict[str, str]]


def examined(*arguments: str, environment: dict[str, str] | None = None) -> list[dict[str, str]]:
    """What it says as JSON, having ended with the code that belongs to it."""
    said = hubbub("doctor", "--json", *arguments, environment=environment)
    assert said.err == ""
    found: list[dict[str, str]] = json.loads(said.out)
    assert said.code == int(any(one["state"] == "problem" for one in found))
    # A checkout may not have built it yet, which is no other test's business.
    return [one for one in found if one["name"] != "web client"]


def doctor(folder: Path, *arguments: str, port: int | None = None) -> Findings:
    where = ("--data", str(folder), "--port", str(port or free_port()))
    return {one["name"]: one for one in examined(*where, *arguments)}


def problems(found: Findings) -> list[str]:
    return [name for name, one in found.items() if one["state"] == "problem"]
