"""Redis: in memory, nothing is written to disk."""

from __future__ import annotations

import socket

from .base import HOST, Service, find_program, program


class Redis(Service):
    name = "redis"
    variable = "OUTBOX_TEST_REDIS_URL"

    def missing(self) -> list[str]:
        return [] if find_program("redis-server") else ["redis-server"]

    def prepare(self) -> None:
        pass

    def command(self) -> list[str]:
        listen = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.directory)]
        return [program("redis-server"), *listen, "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def url(self, database: int = 0) -> str:
        return f"redis://{HOST}:{self.port}/{database}"
