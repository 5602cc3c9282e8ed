"""What a subscriber waits for, said once when it is missed and once when it is back."""

from __future__ import annotations

import logging

__all__ = ["Absences", "logger"]

logger = logging.getLogger("django_outbox.brokers")


class Absences:
    """The brokers and topics that are away at present, by name."""

    def __init__(self) -> None:
        self._missed: set[str] = set()

    def missed(self, name: str, reason: str) -> None:
        if name not in self._missed:
            self._missed.add(name)
            logger.warning("%s is not there (%s); waiting for it.", name, reason)

    def back(self, name: str) -> None:
        if name in self._missed:
            self._missed.remove(name)
            logger.warning("%s is back.", name)

    def __contains__(self, name: str) -> bool:
        return name in self._missed
