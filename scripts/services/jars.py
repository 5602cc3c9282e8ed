"""Kafka's jars: fetched once by Maven, checked against their checksums whenever they are used."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from .base import ServiceError, program, run

POM = Path(__file__).with_name("kafka-jars.pom.xml")
SUMS = Path(__file__).with_name("kafka-jars.sha256")


@cache
def kafka_jars() -> tuple[Path, ...]:
    """The jars, in the user's cache. Fetches them when they are not there, which takes seconds."""
    expected = _expected()
    folder = _cache() / f"kafka-{hashlib.sha256(SUMS.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        _fetch(folder, expected)
    _check(folder, expected)
    return tuple(folder / name for name in expected)


def _expected() -> dict[str, str]:
    lines = (line.split() for line in SUMS.read_text().splitlines())
    return {name: checksum for checksum, name in lines}


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "django-outbox"


def _fetch(folder: Path, expected: dict[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        run(
            [
                *[program("mvn"), "-q", "-B", "-ntp", f"-Dmaven.repo.local={work / 'm2'}"],
                *["-f", str(POM), "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"],
                *[f"-DoutputDirectory={work / 'lib'}", "-DincludeScope=runtime"],
            ],
            cwd=work,
        )
        _check(work / "lib", expected)
        try:
            (work / "lib").rename(folder)
        except OSError:
            # Somebody else was faster; theirs is checked like ours.
            if not folder.exists():
                raise


def _check(folder: Path, expected: dict[str, str]) -> None:
    wrong = [name for name, checksum in expected.items() if _checksum(folder / name) != checksum]
    if wrong:
        shutil.rmtree(folder, ignore_errors=True)
        raise ServiceError(
            f"Kafka's jars do not have the checksums of {SUMS.name}: {', '.join(wrong)}. "
            "They were deleted; start again to fetch them anew."
        )


def _checksum(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
