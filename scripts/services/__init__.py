"""Servers for tests, without Docker: PostgreSQL, Redis, MariaDB and Apache Kafka.

From a shell: ``python -m scripts.services start postgres kafka``. From Python::

    kafka = Kafka(folder)
    kafka.start()
    kafka.restart()  # the same port, the same topics
    kafka.destroy()

Every server listens on 127.0.0.1 only, on a free port that its folder remembers.
"""

from .base import Service, ServiceError
from .kafka import Kafka
from .mariadb import MariaDB
from .postgres import Postgres
from .redis import Redis

__all__ = ["SERVICES", "Kafka", "MariaDB", "Postgres", "Redis", "Service", "ServiceError"]

SERVICES: dict[str, type[Service]] = {service.name: service for service in (Postgres, Redis, Kafka, MariaDB)}
