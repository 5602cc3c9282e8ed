"""Sphinx settings. ``tox run -e docs`` builds the pages; a warning is an error."""

import re
from pathlib import Path

_package = Path(__file__).resolve().parent.parent / "django_outbox" / "__init__.py"

project = "django_outbox"
author = "django-outbox contributors"
copyright = author
release = re.findall(r'^__version__ = "(.+)"$', _package.read_text(encoding="utf-8"), re.MULTILINE)[0]

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"django_outbox {release}"
