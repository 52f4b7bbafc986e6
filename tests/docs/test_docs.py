"""Everything the documentation names exists, and everything that must be documented is."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from prometheus_client.metrics_core import CounterMetricFamily

from hubbub.cli.commands import app
from hubbub.cli.options import DEFAULTS, format_value, variable
from hubbub.gateway.operations.metrics import METRICS
from hubbub.model.commands import AnyCommand
from hubbub.model.events import AnyEvent
from tests.docs import pages

ROOT = pages.ROOT
OPERATIONS = (pages.DOCS / "operations.md").read_text()
README = (ROOT / "README.md").read_text()
DECISIONS = pages.DOCS / "decisions"
PAGES = {page: page.read_text() for page in pages.pages()}

CLI = typer.main.get_command(app)
SERVE = CLI.commands["serve"]  # type: ignore[attr-defined]  # it is a group
PEOPLE_COMMANDS = {
    "invite": CLI.commands["invite"],  # type: ignore[attr-defined]
    **{
        f"user {name}": command
        for name, command in CLI.commands["user"].commands.items()  # type: ignore[attr-defined]
    },
}

each_page = pytest.mark.parametrize("page", PAGES, ids=pages.name_of)


# The command line


def options_of(command: object) -> list[list[str]]:
    """The names of each option: one, or two for a switch with an opposite."""
    return [
        [*param.opts, *param.secondary_opts]
        for param in command.params  # type: ignore[attr-defined]
        if param.param_type_name == "option"
    ]


def test_every_setting_is_documented_with_its_variable_and_default() -> None:
    rows = pages.rows(pages.section(OPERATIONS, "## Settings"))
    documented = [
        (pages.code(option), pages.code(name), pages.code(default))
        for option, name, default, _ in rows
    ]
    real = []
    for names in options_of(SERVE):
        if names == ["--help"]:
            continue
        default = format_value(
            getattr(DEFAULTS, names[0].removeprefix("--").replace("-", "_"), None)
        )
        real.append((names, [variable(names[0])], [default] if default else []))
    assert sorted(documented) == sorted(real)


def test_every_people_command_is_documented_with_its_options() -> None:
    section = pages.section(OPERATIONS, "## People")
    commands = {" ".join(name.split()[1:]) for name in pages.code(section) if "hubbub " in name}
    assert set(PEOPLE_COMMANDS) <= {re.sub(r" (NAME|--).*", "", command) for command in commands}
    named = set(re.findall(r"--[a-z][a-z-]+", section))
    real = {
        name for command in PEOPLE_COMMANDS.values() for one in options_of(command) for name in one
    }
    assert named - real == set(), "there is no such option"
    assert real - named - {"--help"} == set(), "not documented"


@each_page
def test_every_variable_that_is_named_exists(page: Path) -> None:
    settings = {variable(name) for names in options_of(SERVE) for name in names}
    others = {"HUBBUB_CHROMIUM", "HUBBUB_NGINX"}  # used by tests
    for example in (pages.DOCS / "examples").glob("*.py"):
        others |= set(re.findall(r"\bHUBBUB_[A-Z_]+\b", example.read_text()))
    named = set(re.findall(r"\bHUBBUB_[A-Z][A-Z_]+\b", PAGES[page]))
    assert named <= settings | others


@each_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    made = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = PAGES[page]
    shells = "\n".join(pages.fences(text, "sh"))
    named = {*re.findall(r"`make ([a-z]+)", text), *re.findall(r"(?m)^make ([a-z]+)", shells)}
    assert named <= set(made)


def test_the_readme_begins_with_how_to_run_and_how_to_test() -> None:
    first = pages.fences(README, "sh")[0]
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["run", "test"]


# Error messages and log lines


def texts() -> Iterator[str]:
    """All string literals of the package; ``…`` replaces the values of an f-string."""
    for file in (ROOT / "hubbub").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Constant(value=str(text)):
                    yield text
                case ast.JoinedStr(values=parts):
                    yield "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts
                    )


def test_every_error_and_log_line_that_is_quoted_exists() -> None:
    """``…`` in a quotation stands for any text."""
    errors = pages.rows(pages.section(OPERATIONS, "## When it does not start"))
    quoted = [quotation for error, _ in errors for quotation in pages.code(error)]
    for fence in pages.fences(OPERATIONS, ""):
        quoted += re.findall(r"(?m)^\d{4}-\S+ \S+ \w+ +(.+?)  ", fence)
    literals = list(texts())
    patterns = {
        quotation: re.compile(".*".join(map(re.escape, quotation.split("…"))), re.DOTALL)
        for quotation in quoted
    }
    missing = [
        quotation
        for quotation, pattern in patterns.items()
        if not any(pattern.search(literal) for literal in literals)
    ]
    assert missing == []


# Metrics and dependencies


def test_every_metric_is_documented() -> None:
    real = [("hubbub_info", "version", "Always 1; the label is the running version.")]
    for metric in METRICS:
        suffix = "_total" if metric.kind is CounterMetricFamily else ""
        real.append((metric.name + suffix, metric.label or "", metric.help))
    rows = pages.rows(pages.section(OPERATIONS, "## Health and metrics"))
    documented = [
        (name.strip("`"), label.strip("`"), text)
        for name, label, text in (row for row in rows if len(row) == 3)
    ]
    assert documented == real


@each_page
def test_every_metric_that_is_named_exists(page: Path) -> None:
    real = {name for metric in METRICS for name in (metric.name, f"{metric.name}_total")}
    named = {word for word in pages.code(PAGES[page]) if re.fullmatch(r"hubbub_\w+", word)}
    if page.name == "CHANGELOG.md":
        named &= real  # it also has the names of the past
    assert named <= real | {"hubbub_info"}


def dependencies() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    required = [
        *project["project"]["dependencies"],
        *project["tool"]["uv"]["constraint-dependencies"],
        *(one for group in groups for one in group if isinstance(one, str)),
    ]
    extras = project["project"]["optional-dependencies"].values()
    for one in {*required, *(one for extra in extras for one in extra)}:
        yield re.split(r"[<>=!~\[; ]", one)[0]
    web = msgspec.json.decode((ROOT / "web" / "package.json").read_bytes())
    yield from web.get("dependencies", {})
    yield from web["devDependencies"]


def test_every_dependency_has_its_reason_and_no_other_is_named() -> None:
    reasons: list[str] = []
    for page in sorted(DECISIONS.glob("0*.md")):
        text, _, packages = page.read_text().partition("\n**Packages.** ")
        for name in pages.code(packages):
            reasons.append(name)
            assert f"`{name}`" in text, f"{page.name} does not mention {name}"
    assert sorted(reasons) == sorted(dependencies())


def test_every_decision_and_every_page_is_linked() -> None:
    listed = {target for _, target in pages.links((DECISIONS / "README.md").read_text())}
    assert listed == {page.name for page in DECISIONS.glob("0*.md")}
    in_readme = {target for _, target in pages.links(README)}
    assert {f"docs/{page.name}" for page in pages.DOCS.glob("*.md")} <= in_readme


# Links, fences, files


def has_target(page: Path, target: str) -> bool:
    """Whether the file and the heading that a link points to exist."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not (file.exists() and file.is_relative_to(ROOT)):
        return False
    return not anchor or anchor in pages.anchors(file.read_text())


@each_page
def test_every_link_has_a_target(page: Path) -> None:
    relative = [
        target
        for is_image, target in pages.links(PAGES[page])
        if not is_image and not re.match(r"[a-z]+:", target)
    ]
    assert [target for target in relative if not has_target(page, target)] == []


@each_page
def test_every_image_exists(page: Path) -> None:
    images = [target for is_image, target in pages.links(PAGES[page]) if is_image]
    assert [image for image in images if not (page.parent / image).is_file()] == []


@each_page
def test_every_json_example_has_only_known_fields(page: Path) -> None:
    for example in pages.fences(PAGES[page], "json"):
        found = msgspec.json.decode(example)
        if "do" in found:
            kind = type(msgspec.json.decode(example, type=AnyCommand))
        elif "on" in found:
            kind = type(msgspec.json.decode(example, type=AnyEvent))
        else:
            continue
        unknown = found.keys() - {"do", "on"} - set(kind.__struct_fields__)
        assert not unknown, f"{kind.__name__} has no {unknown}"


@each_page
def test_every_file_that_is_named_exists_and_contains_the_names_beside_it(page: Path) -> None:
    """``store/executor.py: _run`` names a file by the end of its path, and a name in it."""
    missing = []
    for named in pages.code(PAGES[page]):
        found = re.fullmatch(r"([\w./-]+\.(?:py|ts|c|svelte))(?:: (.+))?", named)
        if not found:
            continue
        files = [file for file in SOURCES if f"/{file}".endswith(f"/{found[1]}")]
        words = found[2].split(", ") if found[2] else []
        if not any(all(word in SOURCES[file] for word in words) for file in files):
            missing.append(named)
    assert missing == []


@each_page
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = [name for name in pages.code(PAGES[page]) if re.match(r"(web/)?tests/|web/e2e", name)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def _sources() -> dict[str, str]:
    found = {}
    for folder in ("hubbub", "docs/examples", "web/src", "web/tests", "web/e2e", "bench", "tests"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".ts", ".c", ".svelte"} and "static" not in file.parts:
                found[str(file.relative_to(ROOT))] = file.read_text()
    return found


SOURCES = _sources()
