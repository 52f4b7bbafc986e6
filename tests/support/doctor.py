"""Runs `hubbub doctor` and parses its findings."""

import json
from pathlib import Path

from tests.support.command import hubbub
from tests.support.server import free_port

Findings = dict[str, dict[str, str]]


def run_doctor(*arguments: str, environment: dict[str, str] | None = None) -> list[dict[str, str]]:
    """The findings as JSON; the exit code must agree with them."""
    result = hubbub("doctor", "--json", *arguments, environment=environment)
    assert result.err == ""
    found: list[dict[str, str]] = json.loads(result.out)
    assert result.code == int(any(one["state"] == "problem" for one in found))
    # A checkout may not have built the web client yet.
    return [one for one in found if one["name"] != "web client"]


def doctor(folder: Path, *arguments: str, port: int | None = None) -> Findings:
    usual = ("--data", str(folder), "--port", str(port or free_port()))
    return {one["name"]: one for one in run_doctor(*usual, *arguments)}


def problems(found: Findings) -> list[str]:
    return [name for name, one in found.items() if one["state"] == "problem"]
