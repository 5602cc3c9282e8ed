"""The services that some tests need, and what a run without them did not prove.

``require("kafka")`` gives the address, or skips the test and says how to run it. With
``OUTBOX_REQUIRE_SERVICES=1`` such a skip is a failure. The last lines of a run count the skips.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass

import pytest

__all__ = ["require"]

_NOT_PROVEN = "not proven here: "


@dataclass(frozen=True)
class _Service:
    title: str
    variable: str
    name: str

    @property
    def reason(self) -> str:
        return (
            f"{_NOT_PROVEN}what needs {self.title}"
            f" (`python -m scripts.services start {self.name}` starts one; {self.variable} names it)"
        )


_SERVICES = {
    service.name: service
    for service in (
        _Service("PostgreSQL", "OUTBOX_TEST_POSTGRES_URL", "postgres"),
        _Service("Redis", "OUTBOX_TEST_REDIS_URL", "redis"),
        _Service("Apache Kafka", "KAFKA_BOOTSTRAP_SERVERS", "kafka"),
        _Service("MariaDB", "OUTBOX_TEST_MARIADB_URL", "mariadb"),
    )
}


def require(name: str) -> str:
    """The address of ``postgres``, ``redis``, ``kafka`` or ``mariadb``; skips the test without one."""
    service = _SERVICES[name]
    address = os.environ.get(service.variable)
    if address:
        return address
    if os.environ.get("OUTBOX_REQUIRE_SERVICES") == "1":
        pytest.fail(service.reason, pytrace=False)
    pytest.skip(service.reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counted: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if _NOT_PROVEN in reason:
            counted[reason[reason.index(_NOT_PROVEN) :]] += 1
    for reason, tests in sorted(counted.items()):
        terminalreporter.write_line(f"{reason}: {tests} skipped")
