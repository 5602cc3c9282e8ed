"""The two services with all their processes, from an empty folder to a running whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .live import Ticker
from .ports import HOST
from .servers import Servers
from .supervisor import Child, Found, Supervisor
from .terminal import Screen
from .web import Site

__all__ = ["SERVICES", "Stack"]

MANAGE = "example_project/manage.py"
SERVICES = ("monolith", "catalog")
START_SECONDS = 60
SAMPLE_SECONDS = 90
# How long a killed consumer holds its partitions and a killed relay its lanes: by default 45 and 15 s.
SESSION_TIMEOUT_MS = 6_000
RELAY_TOKEN_SECONDS = 5


@dataclass
class Stack:
    """Everything that runs. ``up`` starts it, ``supervisor.stop`` ends it."""

    folder: Path
    screen: Screen
    supervisor: Supervisor
    servers: Servers
    ports: Mapping[str, int]

    def __post_init__(self) -> None:
        self.sites = {name: Site(f"http://{HOST}:{self.ports[name]}") for name in SERVICES}
        self.live_file = self.folder / "handled.jsonl"
        self.ticker = Ticker(self.live_file, self.screen)

    @property
    def monolith(self) -> Site:
        return self.sites["monolith"]

    @property
    def catalog(self) -> Site:
        return self.sites["catalog"]

    def environment(self, service: str) -> dict[str, str]:
        """What a process of ``service`` finds in its environment: of the other one, its address alone."""
        return {
            "DJANGO_SETTINGS_MODULE": f"example_project.settings.{service}",
            "DJANGO_DEBUG": "0",
            f"{service.upper()}_DATABASE_URL": self.servers.database_url(service),
            "EXAMPLE_DATA_DIR": str(self.folder),
            "EXAMPLE_DEMO": "1",
            "EXAMPLE_ADMIN_PASSWORD": "pass",
            "EXAMPLE_LIVE_FILE": str(self.live_file),
            "EXAMPLE_MONOLITH_URL": self.monolith.url,
            "EXAMPLE_CATALOG_URL": self.catalog.url,
            "CATALOG_SERVICE_URL": self.catalog.url,
            "CELERY_BROKER_URL": "filesystem://",
            "KAFKA_BOOTSTRAP_SERVERS": self.servers.bootstrap,
            "EXAMPLE_KAFKA_SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "EXAMPLE_RELAY_TOKEN_SECONDS": str(RELAY_TOKEN_SECONDS),
            "OUTBOX_WAKE_UP": "0",
        }

    def manage(self, service: str, *words: str) -> Child:
        """Start a long-running command of a service."""
        return self.supervisor.start(
            f"{service} {_ROLES[words[0]]}", [MANAGE, *words], self.environment(service)
        )

    def up(self, *, live: bool) -> None:
        """Prepare both databases with the sample, then start every process; ``live``: with live lines."""
        with self.screen.step(*self.servers.title):
            self.servers.start(self.supervisor, self.ports)
        with self.screen.step("databases", "migrated, sample data recorded"):
            self.supervisor.run(*(self._setup(name) for name in SERVICES))
        with self.screen.step("web servers, relays, consumers", "and Celery with beat"):
            self._start_processes()
            for name, site in self.sites.items():
                log = self.supervisor[f"{name} web"].log
                self.wait(site.answers, START_SECONDS, f"the {name}'s web server answers", log)
            for name in SERVICES:  # last: the first event waits for the others, not for these
                self._start_celery(name)
        if live:
            self.supervisor.meanwhile = self.ticker.tick

    def load_catalog(self) -> None:
        """The sample entries, which the catalog service can make once the products have arrived."""
        self.supervisor.run(("catalog import", [MANAGE, "example_import"], self.environment("catalog")))

    def wait(self, condition: Callable[[], Found], seconds: float, what: str, *logs: Path) -> Found:
        """Wait for ``condition`` while live lines go on; ``logs`` say more when it never comes."""
        return self.supervisor.wait(condition, seconds, what, logs)

    def logs(self, *roles: str) -> list[Path]:
        """The logs of both services' processes of these kinds."""
        return [self.supervisor[f"{name} {role}"].log for role in roles for name in SERVICES]

    def _setup(self, service: str) -> tuple[str, list[str], dict[str, str]]:
        return (f"{service} setup", [MANAGE, "example_setup"], self.environment(service))

    def _start_processes(self) -> None:
        for name in SERVICES:
            self.manage(name, "publish_events")
        for name in reversed(SERVICES):
            self.manage(name, "consume_events")
        for name in SERVICES:
            self.manage(name, "runserver", "--noreload", f"{HOST}:{self.ports[name]}")

    def _start_celery(self, service: str) -> None:
        # One process: the pool is the worker itself, beat its only fork. Its warm shutdown takes up to 4.5 s
        # on this transport, and no event depends on it.
        words = f"-A example_project.{service}.celery worker --beat --pool solo --loglevel INFO"
        command = ["-m", "celery", *words.split(), "--without-gossip", "--without-mingle"]
        self.supervisor.start(f"{service} celery", command, self.environment(service), expendable=True)


_ROLES = {"publish_events": "relay", "consume_events": "consumer", "runserver": "web"}
