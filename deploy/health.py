"""``python deploy/health.py ROLE``: exit 0 when the process of this container does its work.

Each role is asked where its work can be seen from outside: the relay and beat in the database, the
consumer in its Kafka group, the worker by Celery's ping. None of them loads Django, so a check
costs a fraction of a second.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

TIMEOUT_SECONDS = 5
# Several times the interval of the sweep.
BEAT_SECONDS = 60

RELAY = "SELECT 1 FROM django_outbox_relay WHERE standing AND name LIKE %s AND alive_until > now()"
BEAT = (
    "SELECT 1 FROM django_celery_beat_periodictask"
    " WHERE enabled AND last_run_at > now() - make_interval(secs => %s)"
)


def web(port: str = "8000") -> bool:
    """The home page is there; it reads the database."""
    with closing(HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status == 200


def relay() -> bool:
    """A relay of this host has renewed its token in time."""
    return _found(RELAY, f"{socket.gethostname()}:%")


def beat() -> bool:
    """Beat has sent a task of late."""
    return _found(BEAT, BEAT_SECONDS)


def worker() -> bool:
    """The worker of this host answers a ping."""
    from celery import Celery

    app = Celery(broker=os.environ["CELERY_BROKER_URL"], set_as_current=False)
    name = f"celery@{socket.gethostname()}"
    return bool(app.control.ping(destination=[name], timeout=TIMEOUT_SECONDS))


def consumer(group: str) -> bool:
    """The group has a member on this host: Kafka drops one that no longer polls."""
    from confluent_kafka.admin import AdminClient

    servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    described = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_SECONDS)[group]
    members = described.result(TIMEOUT_SECONDS).members
    return _own_address(servers) in {member.host.lstrip("/") for member in members}


def _found(query: str, value: object) -> bool:
    import psycopg

    url = os.environ.get("MONOLITH_DATABASE_URL") or os.environ["CATALOG_DATABASE_URL"]
    with psycopg.connect(url, connect_timeout=TIMEOUT_SECONDS) as database:
        return database.execute(query, [value]).fetchone() is not None


def _own_address(servers: str) -> str:
    """The address from which this host reaches the first of the servers."""
    host, _, port = servers.partition(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
        return str(connection.getsockname()[0])


ROLES: dict[str, Callable[..., bool]] = {
    "web": web,
    "relay": relay,
    "beat": beat,
    "worker": worker,
    "consumer": consumer,
}


def main() -> None:
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    if role not in ROLES:
        sys.exit(f"Which role? Known are {', '.join(ROLES)}.")
    if not ROLES[role](*sys.argv[2:]):
        sys.exit(f"The {role} of this container does not do its work.")


if __name__ == "__main__":
    main()
