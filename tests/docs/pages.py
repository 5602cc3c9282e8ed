"""The pages of the documentation, and what tests read from them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["ROOT", "blocks", "headings", "page", "rows"]

ROOT = Path(__file__).resolve().parent.parent.parent


def page(name: str) -> str:
    """The text of a file, by its path from the repository's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[str]:
    """The headings, of every level, outside code blocks."""
    return re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )


def rows(text: str) -> list[list[str]]:
    """The cells of every line of a table, heads and rules left out."""
    lines = re.findall(r"^\| `.*\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
