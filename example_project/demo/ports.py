"""Ports on 127.0.0.1 that nobody listens on."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator, Mapping

__all__ = ["HOST", "choose", "is_free"]

HOST = "127.0.0.1"
# Below what Linux and macOS give to outgoing connections, which could take a port before it is used.
_QUIET = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def choose(wanted: Mapping[str, int]) -> dict[str, int]:
    """A free port for each name: the wanted one, else the next free one that no other name wants.

    A wanted port of 0 means any.
    """
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        others = {p for n, p in wanted.items() if n != name} | set(chosen.values())
        chosen[name] = next(p for p in _candidates(port) if p not in others and is_free(p))
    return chosen


def _candidates(port: int) -> Iterator[int]:
    if port:
        yield from range(port, 65_536)
    start = random.randrange(len(_QUIET))
    yield from _QUIET[start:]
    yield from _QUIET[:start]
