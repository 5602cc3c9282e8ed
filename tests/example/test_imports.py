"""The services share topics and schemas, nothing else; the frame knows neither of them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent / "example_project"


def _imported(file: Path) -> Iterator[str]:
    """The full names of everything that ``file`` imports, wherever in it."""
    package = ["example_project", *file.relative_to(PROJECT).parent.parts]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _names(file: Path) -> Iterator[str]:
    """What ``file`` imports and what its strings name: settings name modules in strings."""
    yield from _imported(file)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _python(folder: str) -> list[Path]:
    found = sorted((PROJECT / folder).rglob("*.py"))
    assert found, f"no Python in {folder}"
    return found


@pytest.mark.parametrize(
    ("folder", "foreign"),
    [
        ("monolith", "example_project.catalog"),
        ("catalog", "example_project.monolith"),
        ("frame", "example_project.monolith"),
        ("frame", "example_project.catalog"),
    ],
)
def test_package_does_not_name_the_other_one(folder: str, foreign: str) -> None:
    """No module of the folder imports the foreign package, nor names a module of it in a string."""
    guilty = [
        f"{file.relative_to(PROJECT)}: {name}"
        for file in _python(folder)
        for name in _names(file)
        if name == foreign or name.startswith(f"{foreign}.")
    ]
    assert not guilty


@pytest.mark.parametrize(("service", "other"), [("monolith", "catalog"), ("catalog", "monolith")])
def test_service_does_not_know_the_others_database(service: str, other: str) -> None:
    """The settings of a service name neither the package nor the database of the other one."""
    text = (PROJECT / "settings" / f"{service}.py").read_text()
    assert f"example_project.{other}" not in text
    assert f"{other.upper()}_DATABASE_URL" not in text
    assert f"{other}.sqlite3" not in text


@pytest.mark.parametrize("folder", ["monolith/products", "catalog/entries"])
def test_rules_know_nothing_of_http(folder: str) -> None:
    """The business rules import no view, no API framework and no admin."""
    names = list(_imported(PROJECT / folder / "rules.py"))
    assert names
    assert not [
        name
        for name in names
        if name.startswith(("django.http", "rest_framework", "ninja", "django.contrib"))
    ]
