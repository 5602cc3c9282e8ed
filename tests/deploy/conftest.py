"""The whole of the compose file on this machine, started once for all tests that look at it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.example.processes import MANAGE, Service, free_ports, until

from .compose import SERVERLESS, Machine


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Everything up, on SQLite, the development broker, and Celery without a server."""
    folder = tmp_path_factory.mktemp("laptop")
    port, control, gateway = free_ports(3)
    addresses = {"kafka:9092": f"127.0.0.1:{port}", "localhost:8080": f"127.0.0.1:{gateway}"}
    with Service("monolith", folder) as broker:
        ports = ("--port", str(port), "--control-port", str(control))
        broker.start("broker", MANAGE, "outbox_broker", "serve", *ports)
        until(lambda: _listens(port), 30, "the development broker answers")
        with Machine(folder, addresses, gateway_port=gateway, without=SERVERLESS) as machine:
            machine.bring_up()
            yield machine


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
