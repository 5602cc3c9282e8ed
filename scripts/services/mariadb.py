"""MariaDB, with a root user that needs no password."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

from .base import HOST, Service, find_program, program, run

DATABASE = "outbox"


class MariaDB(Service):
    name = "mariadb"
    variable = "OUTBOX_TEST_MARIADB_URL"

    def missing(self) -> list[str]:
        needed = ("mariadbd", "mariadb-install-db", "mariadb")
        return [] if all(map(find_program, needed)) else ["mariadb-server"]

    def prepare(self) -> None:
        if not (self._data / "mysql").exists():
            run(
                [
                    program("mariadb-install-db"),
                    *self._basics(),
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                ]
            )

    def command(self) -> list[str]:
        return [
            program("mariadbd"),
            *self._basics(),
            f"--port={self.port}",
            f"--bind-address={HOST}",
            # Relative to the data: the path of a socket has room for 107 characters only.
            "--socket=s.sock",
            f"--pid-file={self.directory / 'pid'}",
            "--skip-log-bin",
            "--character-set-server=utf8mb4",
        ]

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                greeting = connection.recv(5)
        except OSError:
            return False
        # Four bytes of frame, then the version of the protocol; 255 instead means an error.
        return greeting[4:5] == b"\x0a"

    def started(self) -> None:
        self.create_database(DATABASE)

    def create_database(self, database: str) -> None:
        """Make an empty database unless there is one of that name."""
        client = [program("mariadb"), "--no-defaults", "--protocol=tcp", f"--host={HOST}"]
        statement = f"CREATE DATABASE IF NOT EXISTS `{database}`"
        run([*client, f"--port={self.port}", "--user=root", f"--execute={statement}"])

    def url(self, database: str = DATABASE) -> str:
        return f"mysql://root@{HOST}:{self.port}/{database}"

    def _basics(self) -> list[str]:
        return ["--no-defaults", f"--user={getpass.getuser()}", f"--datadir={self._data}"]

    @property
    def _data(self) -> Path:
        return self.directory / "data"
