"""What the settings read from the environment, typed."""

import os
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

__all__ = ["celery_broker", "database", "flag", "kafka", "secret_key", "words"]

_YES_NO = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def flag(name: str, default: bool) -> bool:
    """The variable as yes or no; empty is the default, anything else is refused."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value not in _YES_NO:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")
    return _YES_NO[value]


def words(name: str, default: str) -> list[str]:
    """The variable as a list, separated by commas."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def secret_key(insecure_allowed: bool) -> str:
    """``DJANGO_SECRET_KEY``; without it an insecure one, where that is allowed."""
    key = os.environ.get("DJANGO_SECRET_KEY", "")
    if key:
        return key
    if insecure_allowed:
        return "insecure-and-only-for-the-example-on-your-own-machine"
    raise ImproperlyConfigured("DJANGO_SECRET_KEY is missing; it is needed when DJANGO_DEBUG is 0.")


def database(variable: str, file: Path) -> dict[str, Any]:
    """The database of the URL in ``variable``, else SQLite in ``file``, ready for several processes."""
    url = os.environ.get(variable, "")
    if not url:
        file.parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{file}"
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {**_SQLITE_OPTIONS, **config.get("OPTIONS", {})}
    return config


def kafka() -> dict[str, Any]:
    """The librdkafka options: the servers, and the session time-out where one is asked for."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or "localhost:9092"
    options: dict[str, Any] = {
        "bootstrap.servers": servers,
        # The development broker answers a waiting fetch when its time is up, not when something comes.
        "fetch.wait.max.ms": 50,
        # A topic appears with its first event; consumers look for it this often.
        "topic.metadata.refresh.interval.ms": 1000,
    }
    session_timeout = os.environ.get("EXAMPLE_KAFKA_SESSION_TIMEOUT_MS", "")
    if session_timeout:
        options["session.timeout.ms"] = int(session_timeout)
    return options


def celery_broker(folder: Path) -> tuple[str, dict[str, Any]]:
    """``CELERY_BROKER_URL`` and its options; without it a transport of files that needs no server."""
    url = os.environ.get("CELERY_BROKER_URL", "")
    if url and not url.startswith("filesystem:"):
        return url, {}
    for part in ("queue", "control"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    queue, control = str(folder / "queue"), str(folder / "control")
    options = {"data_folder_in": queue, "data_folder_out": queue, "control_folder": control}
    return "filesystem://localhost", options
