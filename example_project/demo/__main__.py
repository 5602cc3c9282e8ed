"""``python -m example_project.demo``: looks whether the machine has what it takes, then starts."""

import importlib.util
import os
import sys

_NEEDED = [
    "django",
    "celery",
    "confluent_kafka",
    "jsonschema",
    "rest_framework",
    "ninja",
    "django_celery_beat",
]
_CURE = "Run `tox run -e demo`, which installs all of it."


def _obstacle() -> str:
    """What stands in the way, with the cure; empty when nothing does."""
    if sys.version_info < (3, 11):  # noqa: UP036 - nobody but this line tells who runs an older one
        found = ".".join(str(part) for part in sys.version_info[:3])
        return "The demo needs Python 3.11 or newer; this is %s (%s)." % (found, sys.executable)  # noqa: UP031
    if os.name != "posix":
        return "The demo needs Linux or macOS. On Windows run it in WSL."
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return f"Not installed here: {', '.join(missing)}. {_CURE}" if missing else ""


if __name__ == "__main__":
    # The syntax of this file is one that old Pythons read, so that they can be told.
    obstacle = _obstacle()
    if obstacle:
        sys.exit(obstacle)
    try:
        from example_project.demo.run import main

        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # before there was anything to stop
