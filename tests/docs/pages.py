"""Reads the documentation for its tests: sections, tables, links, code."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"(!?)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def pages() -> list[Path]:
    """All Markdown pages: those at the root, and those in docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(text: str) -> str:
    """The text without its fenced code blocks."""
    return _FENCE.sub("", text)


def fences(text: str, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(text) if found == language]


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    start = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    assert start, f"there is no section “{heading}”"
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def sections(text: str, prefix: str) -> dict[str, str]:
    """The sections whose heading is ``prefix`` and a name in backticks, by name."""
    names = re.findall(rf"^{re.escape(prefix)}`([^`]+)`$", text, re.MULTILINE)
    assert len(names) == len(set(names)), f"there are two sections of one name: {names}"
    return {name: section(text, f"{prefix}`{name}`") for name in names}


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, without their headers."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {at for at, cells in enumerate(found) if all(set(cell) <= {"-"} for cell in cells)}
    return [cells for at, cells in enumerate(found) if at not in rules and at + 1 not in rules]


def code(text: str) -> list[str]:
    """The texts in backticks."""
    return _CODE.findall(prose(text))


def links(text: str) -> Iterator[tuple[bool, str]]:
    """For each link or image: whether it is an image, and its target."""
    for mark, target in _LINK.findall(prose(text)):
        yield mark == "!", target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    found: set[str] = set()
    for _, heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number, anchor = 0, slug
        while anchor in found:
            number += 1
            anchor = f"{slug}-{number}"
        found.add(anchor)
    return found
