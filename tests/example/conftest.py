"""The tests of a service need its settings: they run in a process of their own, see ``test_services``."""

import os
from pathlib import Path

_SERVICES = ("monolith", "catalog")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the tests of a service whose settings are not the ones in force."""
    settings = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    if collection_path.parent == Path(__file__).parent and collection_path.name in _SERVICES:
        return settings != f"example_project.settings.{collection_path.name}" or None
    return None
