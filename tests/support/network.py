"""A machine of its own for one node, as far as the network goes; its cable can be pulled.

A network namespace of Linux, which takes the rights of root and iproute2.
"""

import itertools
import os
import random
import shutil
import subprocess

NOBODYS = "02:00:00:00:00:01"  # an address of the link layer that nobody listens to
_numbers = itertools.count(1)


class NotPermittedError(Exception):
    """No namespace can be made here; the message says why."""


class Network:
    """``here`` and ``there`` are the addresses of the two ends of the cable."""

    def __init__(self) -> None:
        """Raises NotPermittedError."""
        if shutil.which("ip") is None:
            raise NotPermittedError("there is no `ip` (iproute2) on this machine")
        mark = f"hub{os.getpid()}n{next(_numbers)}"
        self.name, self._end, self._far_end = mark, f"{mark}a"[-15:], f"{mark}b"[-15:]
        first = f"10.213.{random.randrange(256)}.{4 * random.randrange(64)}"
        net, _, last = first.rpartition(".")
        self.here, self.there = f"{net}.{int(last) + 1}", f"{net}.{int(last) + 2}"
        try:
            _ip("netns", "add", self.name)
        except subprocess.CalledProcessError as error:
            raise NotPermittedError(f"`ip netns add` says: {error.stderr.strip()}") from error
        try:
            self._lay_cable()
        except subprocess.CalledProcessError as error:
            self.close()
            raise NotPermittedError(f"{error.cmd} says: {error.stderr.strip()}") from error

    def _lay_cable(self) -> None:
        peer = ("type", "veth", "peer", "name", self._far_end, "netns", self.name)
        _ip("link", "add", self._end, *peer)
        _ip("addr", "add", f"{self.here}/30", "dev", self._end)
        _ip("link", "set", self._end, "up")
        self._ip_there("addr", "add", f"{self.there}/30", "dev", self._far_end)
        self._ip_there("link", "set", self._far_end, "up")
        self._ip_there("link", "set", "lo", "up")
        subprocess.run([*self.wrapper, "true"], check=True, capture_output=True, text=True)

    @property
    def wrapper(self) -> tuple[str, ...]:
        """What a program is to be run with to be there."""
        return ("ip", "netns", "exec", self.name)

    def _ip_there(self, *what: str) -> None:
        _ip("-n", self.name, *what)

    def cut(self) -> None:
        """Nothing comes through any more, and neither side is told: no error, no answer."""
        lost = ("lladdr", NOBODYS, "nud", "permanent")
        _ip("neigh", "replace", self.there, *lost, "dev", self._end)
        self._ip_there("neigh", "replace", self.here, *lost, "dev", self._far_end)

    def mend(self) -> None:
        _ip("neigh", "del", self.there, "dev", self._end)
        self._ip_there("neigh", "del", self.here, "dev", self._far_end)

    def close(self) -> None:
        """The cable goes with it. Whatever runs there must have ended."""
        _ip("netns", "del", self.name)


def _ip(*what: str) -> None:
    subprocess.run(["ip", *what], check=True, capture_output=True, text=True)
