"""The pages themselves: code that compiles, links that lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .pages import ROOT, blocks, page, rows

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts
)
DEMO = "python3 -m venv .venv && .venv/bin/pip install -q tox && .venv/bin/tox run -e demo"
TESTS = ".venv/bin/tox run"


@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_python_compiles(name: str) -> None:
    """A block that is marked as Python is Python."""
    for block in blocks(page(name), "python"):
        ast.parse(block)


@pytest.mark.parametrize("name", PAGES)
def test_every_import_from_the_package_in_a_block_works(name: str) -> None:
    """What a block imports from django_outbox is there."""
    for block in blocks(page(name), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "django_outbox":
                made = ast.unparse(node)
                exec(made, {})


@pytest.mark.parametrize("name", PAGES)
def test_every_link_to_a_file_leads_to_one(name: str) -> None:
    """A relative link names a file of the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page(name)):
        path = target.partition("#")[0]
        if path and "://" not in target and not target.startswith("mailto:"):
            assert Path(ROOT, name).parent.joinpath(path).exists(), target


def test_the_readme_fits_on_two_screens_and_has_both_commands() -> None:
    """It is what a person reads first: at most 100 lines, and the commands stand there to be copied."""
    text = page("README.md")
    assert len(text.splitlines()) <= 100
    assert [block.strip() for block in blocks(text, "sh")][:2] == [DEMO, TESTS]


def test_every_page_is_short_in_its_lines() -> None:
    """No line of prose is wider than 130 characters, so that it can be read beside code."""
    for name in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page(name), flags=re.MULTILINE | re.DOTALL)
        for line in prose.splitlines():
            assert line.startswith("|") or len(line) <= 130, f"{name}: {line}"


def test_every_option_of_the_demo_is_written_down() -> None:
    """The options in the table are those that the demo takes."""
    taken = set(re.findall(r'add_argument\(\s*"(--[a-z]+)"', page("example_project/demo/run.py")))
    assert {name.strip("`") for name, _ in rows(page("docs/demo.md"))} == taken
