"""One readable line per event, from the file into which both services write what they handled."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .terminal import Screen, duration

__all__ = ["Handled", "Ticker"]

LINES_AT_ONCE = 5
QUIET_SECONDS = 0.7
LONGEST_BURST_SECONDS = 5.0
_SERVICES = {"/shop": "monolith", "/catalog": "catalog"}
_MARKS = {"created": "green", "updated": "cyan", "deleted": "red"}


@dataclass(frozen=True)
class Handled:
    """An event at the moment when the other service had handled it."""

    what: str
    word: str
    name: str
    source: str
    target: str
    seconds: float
    at: datetime


class Ticker:
    """Prints events as they arrive: each its line, many at once as a line for all of them."""

    def __init__(self, file: Path, screen: Screen) -> None:
        self._file = file
        self._screen = screen
        self._offset = 0
        self._seen = 0
        self._burst: list[Handled] = []
        self._last_arrival = 0.0
        self._burst_began = 0.0
        self._names: dict[str, str] = {}

    @property
    def seen(self) -> int:
        """How many events arrived so far."""
        return self._seen

    def tick(self) -> None:
        """Print what is new. To be called several times a second."""
        arrived = list(self._new())
        now = time.monotonic()
        if arrived:
            self._last_arrival = now
        if not self._seen and arrived:  # the very first one is worth a line of its own
            self._seen = 1
            self._line(arrived.pop(0))
        self._seen += len(arrived)
        if self._burst or len(arrived) > LINES_AT_ONCE:
            self._burst_began = self._burst_began if self._burst else now
            self._burst += arrived
            if now - self._last_arrival > QUIET_SECONDS or now - self._burst_began > LONGEST_BURST_SECONDS:
                self.flush()
            return
        for handled in arrived:
            self._line(handled)

    def flush(self) -> None:
        """Print the summary of a burst now."""
        kinds: dict[tuple[str, str, str, str], list[Handled]] = defaultdict(list)
        for handled in self._burst:
            kinds[handled.what, handled.word, handled.source, handled.target].append(handled)
        self._burst = []
        for together in kinds.values():
            if len(together) == 1:
                self._line(together[0])
            else:
                self._summary(together)

    def _new(self) -> Iterator[Handled]:
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # still being written
                    self._offset += len(line)
                    yield self._read(json.loads(line))
        except FileNotFoundError:
            return

    def _read(self, found: dict[str, Any]) -> Handled:
        recorded, handled = (datetime.fromisoformat(found[name]) for name in ("recorded_at", "handled_at"))
        topic, _, word = found["type"].rpartition(".")
        return Handled(
            what=topic.rpartition(".")[2],
            word=word,
            name=self._name(found["key"], found["payload"]),
            source=_SERVICES.get(found["source"], found["source"]),
            target=_SERVICES.get(f"/{found['service']}", found["service"]),
            seconds=max(0.0, (handled - recorded).total_seconds()),
            at=handled.astimezone(),
        )

    def _name(self, key: str, payload: dict[str, Any]) -> str:
        """What a person calls it; an entry is called by its product, whose name was seen before."""
        if name := payload.get("name"):
            self._names[key] = name
            return str(name)
        product = str(payload.get("product", key))
        return f"{self._names.get(product, product)} in {payload.get('market', '?')}"

    def _line(self, handled: Handled) -> None:
        self._print(handled, handled.name, duration(handled.seconds))

    def _summary(self, together: list[Handled]) -> None:
        times = [handled.seconds for handled in together]
        within = max(h.at for h in together) - min(h.at for h in together)
        name = f"{len(together)} events within {duration(within.total_seconds())}"
        self._print(together[-1], name, f"{duration(min(times))} to {duration(max(times))}")

    def _print(self, handled: Handled, name: str, took: str) -> None:
        paint = self._screen.paint
        style = _MARKS.get(handled.word, "yellow")
        way = f"{handled.source} → {handled.target}"
        self._screen.line(
            f"  {paint(f'{handled.at:%H:%M:%S}', 'dim')}  {handled.what:<8} "
            f"{paint(f'{handled.word:<8}', style)}  {_short(name, 32):<32}  {way:<19}  "
            f"{paint(f'{took:>8}', 'bold')}"
        )


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
