"""A Linux network namespace for one node, whose link can be cut.

It needs root and iproute2.
"""

import itertools
import os
import random
import shutil
import subprocess

UNUSED_MAC = "02:00:00:00:00:01"  # a link-layer address that nobody uses
_numbers = itertools.count(1)


class NotPermittedError(Exception):
    """No namespace can be created on this machine; the message says why."""


class Network:
    """``host_address`` and ``node_address`` are the addresses of the two ends of the link."""

    def __init__(self) -> None:
        """Raises NotPermittedError."""
        if shutil.which("ip") is None:
            raise NotPermittedError("there is no `ip` (iproute2) on this machine")
        name = f"hub{os.getpid()}n{next(_numbers)}"
        self.name, self._host_end, self._node_end = name, f"{name}a"[-15:], f"{name}b"[-15:]
        first = f"10.213.{random.randrange(256)}.{4 * random.randrange(64)}"
        net, _, last = first.rpartition(".")
        self.host_address, self.node_address = f"{net}.{int(last) + 1}", f"{net}.{int(last) + 2}"
        try:
            _ip("netns", "add", self.name)
        except subprocess.CalledProcessError as error:
            raise NotPermittedError(f"`ip netns add` says: {error.stderr.strip()}") from error
        try:
            self._create_link()
        except subprocess.CalledProcessError as error:
            self.close()
            raise NotPermittedError(f"{error.cmd} says: {error.stderr.strip()}") from error

    def _create_link(self) -> None:
        peer = ("type", "veth", "peer", "name", self._node_end, "netns", self.name)
        _ip("link", "add", self._host_end, *peer)
        _ip("addr", "add", f"{self.host_address}/30", "dev", self._host_end)
        _ip("link", "set", self._host_end, "up")
        self._ip_in_namespace("addr", "add", f"{self.node_address}/30", "dev", self._node_end)
        self._ip_in_namespace("link", "set", self._node_end, "up")
        self._ip_in_namespace("link", "set", "lo", "up")
        subprocess.run([*self.wrapper, "true"], check=True, capture_output=True, text=True)

    @property
    def wrapper(self) -> tuple[str, ...]:
        """The command prefix that runs a program in the namespace."""
        return ("ip", "netns", "exec", self.name)

    def _ip_in_namespace(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)

    def cut(self) -> None:
        """Drop all packets silently: neither side gets an error or an answer."""
        lost = ("lladdr", UNUSED_MAC, "nud", "permanent")
        _ip("neigh", "replace", self.node_address, *lost, "dev", self._host_end)
        self._ip_in_namespace("neigh", "replace", self.host_address, *lost, "dev", self._node_end)

    def reconnect(self) -> None:
        _ip("neigh", "del", self.node_address, "dev", self._host_end)
        self._ip_in_namespace("neigh", "del", self.host_address, "dev", self._node_end)

    def close(self) -> None:
        """Delete the namespace and its link. Programs in it must have ended."""
        _ip("netns", "del", self.name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
