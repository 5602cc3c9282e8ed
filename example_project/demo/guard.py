"""Starts Apache Kafka and PostgreSQL in a folder, and deletes both when it is told to or left alone.

``python -m example_project.demo.guard FOLDER`` writes the file ``ready`` once both answer. Servers
of ``scripts.services`` are nobody's children, so they need somebody who outlives the demo by a moment:
standard input is a pipe that ends when the demo dies, however that happens.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.services import Kafka, Postgres, ServiceError

DATABASES = ("demo_monolith", "demo_catalog")


def main(folder: Path) -> int:
    kafka, postgres = Kafka(folder / "kafka"), Postgres(folder / "postgres")
    signal.signal(signal.SIGTERM, _stop)
    try:
        _at_once(kafka.start, postgres.start)
        for database in DATABASES:
            postgres.create_database(database)
        (folder / "ready").touch()
        while os.read(0, 1024):
            pass
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _at_once(kafka.destroy, postgres.destroy)
    return 0


def _at_once(*steps: Callable[[], None]) -> None:
    with ThreadPoolExecutor() as pool:
        for step in [pool.submit(step) for step in steps]:
            step.result()


def _stop(number: int, frame: object) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
