"""The floors of the building: data and imports go one way."""

import ast
from pathlib import Path

import pytest

import django_outbox

ROOT = Path(django_outbox.__file__).parent
GROUND = {
    "brokers",
    "conf",
    "contracts",
    "databases",
    "events",
    "exceptions",
    "fields",
    "signals",
    "wire",
}
FLOORS = {**dict.fromkeys(GROUND, 0), "producer": 1, "consumer": 1, "replicas": 2}
EDGE = 3


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The rooms and foreign packages that a file imports; type-checking imports count too."""
    package = ("django_outbox", *path.relative_to(ROOT).parts[:-1])
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def files() -> list[Path]:
    skipped = {"migrations", "testing", "__init__.py", "models.py", "__pycache__"}
    return [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in skipped]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_uses_what_stands_below_it(path: Path) -> None:
    """Never what stands above it or beside it."""
    here = room(path)
    floor = FLOORS.get(here, EDGE)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "django_outbox" and len(parts) > 1 and parts[1] != here:
            there = FLOORS.get(parts[1], EDGE)
            assert there < floor or (floor == there == 0) or floor == EDGE, f"{here} imports {name}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_two_rooms_know_kafka(path: Path) -> None:
    """``brokers/kafka/`` and the development broker; everything else speaks to a broker."""
    if path.is_relative_to(ROOT / "brokers/kafka") or path == ROOT / "brokers/development.py":
        return
    assert not any(name.split(".")[0] == "confluent_kafka" for name in imports(path))


def test_every_public_name_can_be_imported() -> None:
    """``__all__`` holds what ``django_outbox`` gives, lazily, and nothing else."""
    for name in django_outbox.__all__:
        assert getattr(django_outbox, name).__name__ == name if name[0].isupper() else True
    with pytest.raises(AttributeError, match="has no attribute 'Outbocks'"):
        _ = django_outbox.Outbocks
