"""Users who go on writing while things break."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from .stack import Stack

__all__ = ["Renaming", "renaming"]

USERS = 3


class Renaming:
    """Several users rename the same products in turn; ``took`` has the seconds of each request."""

    def __init__(self, stack: Stack, keys: Sequence[str], times: int, pause_seconds: float) -> None:
        self._stack, self._keys, self._pause = stack, keys, pause_seconds
        self._numbers = iter(range(times))
        self._turn = threading.Lock()
        self.enough = threading.Event()
        self.took: list[float] = []

    def work(self) -> None:
        while not self.enough.is_set():
            with self._turn:
                number = next(self._numbers, None)
            if number is None:
                return
            began = time.monotonic()
            self._stack.rename(self._keys[number % len(self._keys)], f"Name {number}")
            self.took.append(time.monotonic() - began)
            self.enough.wait(self._pause)


@contextmanager
def renaming(
    stack: Stack, keys: Sequence[str], *, times: int | None = None, pause_seconds: float = 0.02
) -> Iterator[Renaming]:
    """Rename products meanwhile: ``times``, or until the block ends. No request may fail."""
    writing = Renaming(stack, keys, times or 1_000_000, pause_seconds)
    with ThreadPoolExecutor(USERS) as pool:
        users = [pool.submit(writing.work) for _ in range(USERS)]
        try:
            yield writing
        except BaseException:
            writing.enough.set()
            raise
        if times is None:
            writing.enough.set()
        for user in users:
            user.result()
