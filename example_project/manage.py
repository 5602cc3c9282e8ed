#!/usr/bin/env python
"""The command line of both services; works from any folder, the service is named by its settings."""

import os
import sys
from pathlib import Path

CHOICE = """Which service? Name its settings module:
  --settings=example_project.settings.monolith   (or .catalog)
or set DJANGO_SETTINGS_MODULE to it."""


def main() -> None:
    # The folder of this file goes off the path: every module below it has one name only.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    named = any(word == "--settings" or word.startswith("--settings=") for word in sys.argv[1:])
    if not named and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        sys.exit(CHOICE)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
