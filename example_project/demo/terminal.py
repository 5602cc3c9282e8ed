"""What a person sees: steps with a tick, tables, live lines. Colour only on a terminal."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

__all__ = ["DemoFailed", "Screen", "duration", "tail"]

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_PLAIN = str.maketrans({"✓": "+", "✗": "x", "→": ">", "·": "-", "…": ":", "↻": "*"})


class DemoFailed(Exception):
    """The demo cannot go on; the message is for the person in front of it.

    ``logs`` are files of which the last lines say more.
    """

    def __init__(self, message: str, logs: Sequence[Path] = ()) -> None:
        super().__init__(message)
        self.logs = tuple(logs)


class Screen:
    """Writes whole lines to ``stream``, in colour on a terminal unless ``NO_COLOR`` is set."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colour = self._stream.isatty() and not os.environ.get("NO_COLOR") and _term() != "dumb"
        self._unicode = _takes_arrows(self._stream)
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="replace")  # a name in a locale without its letters

    def paint(self, text: str, *styles: str) -> str:
        if not self._colour or not styles:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """One line, at once. When its reader is gone (``head``, a terminal), the demo ends as by Ctrl-C."""
        try:
            self._stream.write((text if self._unicode else text.translate(_PLAIN)).rstrip() + "\n")
            self._stream.flush()
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise KeyboardInterrupt from None

    def heading(self, text: str) -> None:
        self.line()
        self.line(self.paint(text, "bold"))

    def done(self, what: str, detail: str = "", seconds: float | None = None) -> None:
        took = "" if seconds is None else self.paint(f"{duration(seconds):>7}", "dim")
        self.line(f"  {self.paint('✓', 'green')} {what:<38}  {detail:<38}  {took}")

    def warning(self, text: str) -> None:
        self.line(f"  {self.paint('↻', 'yellow')} {text}")

    def verdict(self, text: str, *, good: bool = True) -> None:
        """The last line of all."""
        self.line(f"demo: {self.paint(text, 'green' if good else 'red', 'bold')}")

    def excerpt(self, log: Path, lines: int = 20) -> None:
        found = tail(log, lines)
        title = f"the last lines of {log.name}:" if found else f"{log.name} is empty."
        self.line(f"    {self.paint(title, 'dim')}")
        for text in found:
            self.line(f"    {self.paint('|', 'dim')} {text}")

    @contextmanager
    def step(self, what: str, detail: str = "") -> Iterator[None]:
        """A tick with the time that the block took; a cross when it failed."""
        start = time.monotonic()
        try:
            yield
        except DemoFailed:
            self.line(f"  {self.paint('✗', 'red')} {what}")
            raise
        self.done(what, detail, time.monotonic() - start)


def duration(seconds: float) -> str:
    """``0.0834`` as ``83 ms``, ``2.04`` as ``2.0 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a file that a running process may be writing; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def _term() -> str:
    return os.environ.get("TERM", "")


def _takes_arrows(stream: TextIO) -> bool:
    try:
        "✓✗→·…↻".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
