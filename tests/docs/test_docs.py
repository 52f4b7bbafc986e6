"""What the documentation names is there, and what is there is named in it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from prometheus_client.metrics_core import CounterMetricFamily

from hubbub.cli.commands import app
from hubbub.cli.options import DEFAULTS, shown, variable
from hubbub.gateway.operations.metrics import METRICS
from hubbub.model.commands import AnyCommand
from hubbub.model.events import AnyEvent
from tests.docs import pages

ROOT = pages.ROOT
OPERATIONS = (pages.DOCS / "operations.md").read_text()
README = (ROOT / "README.md").read_text()
DECISIONS = pages.DOCS / "decisions"
EVERYWHERE = {page: page.read_text() for page in pages.pages()}

CLI = typer.main.get_command(app)
SERVING = CLI.commands["serve"]  # type: ignore[attr-defined]  # it is a group
OF_PEOPLE = {
    "invite": CLI.commands["invite"],  # type: ignore[attr-defined]
    **{
        f"user {name}": command
        for name, command in CLI.commands["user"].commands.items()  # type: ignore[attr-defined]
    },
}

each_page = pytest.mark.parametrize("page", EVERYWHERE, ids=pages.name_of)


# The command line


def options_of(command: object) -> list[list[str]]:
    """The names of each option: one, or two for a switch that has an opposite."""
    return [
        [*param.opts, *param.secondary_opts]
        for param in command.params  # type: ignore[attr-defined]
        if param.param_type_name == "option"
    ]


def test_every_setting_is_documented_with_its_variable_and_default() -> None:
    told = pages.rows(pages.section(OPERATIONS, "## Settings"))
    documented = [
        (pages.code(option), pages.code(name), pages.code(default))
        for option, name, default, _ in told
    ]
    real = []
    for names in options_of(SERVING):
        if names == ["--help"]:
            continue
        default = shown(getattr(DEFAULTS, names[0].removeprefix("--").replace("-", "_"), None))
        real.append((names, [variable(names[0])], [default] if default else []))
    assert sorted(documented) == sorted(real)


def test_every_command_about_people_is_documented_with_its_options() -> None:
    told = pages.section(OPERATIONS, "## People")
    commands = {" ".join(name.split()[1:]) for name in pages.code(told) if "hubbub " in name}
    assert set(OF_PEOPLE) <= {re.sub(r" (NAME|--).*", "", command) for command in commands}
    named = set(re.findall(r"--[a-z][a-z-]+", told))
    real = {name for command in OF_PEOPLE.values() for one in options_of(command) for name in one}
    assert named - real == set(), "there is no such option"
    assert real - named - {"--help"} == set(), "not documented"


@each_page
def test_a_variable_that_is_named_exists(page: Path) -> None:
    settings = {variable(name) for names in options_of(SERVING) for name in names}
    others = {"HUBBUB_CHROMIUM", "HUBBUB_NGINX"}  # of the checks
    for example in (pages.DOCS / "examples").glob("*.py"):
        others |= set(re.findall(r"\bHUBBUB_[A-Z_]+\b", example.read_text()))
    named = set(re.findall(r"\bHUBBUB_[A-Z][A-Z_]+\b", EVERYWHERE[page]))
    assert named <= settings | others


@each_page
def test_a_make_target_that_is_named_exists(page: Path) -> None:
    made = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    text = EVERYWHERE[page]
    shells = "\n".join(pages.fences(text, "sh"))
    named = {*re.findall(r"`make ([a-z]+)", text), *re.findall(r"(?m)^make ([a-z]+)", shells)}
    assert named <= set(made)


def test_the_readme_begins_with_how_to_run_and_how_to_test() -> None:
    first = pages.fences(README, "sh")[0]
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["run", "test"]


# Metrics and dependencies


def test_every_metric_is_documented() -> None:
    real = [("hubbub_info", "version", "1; which version runs.")]
    for figure in METRICS:
        suffix = "_total" if figure.kind is CounterMetricFamily else ""
        real.append((figure.name + suffix, figure.label or "", figure.tells))
    told = pages.rows(pages.section(OPERATIONS, "## Health and metrics"))
    documented = [
        (name.strip("`"), label.strip("`"), tells)
        for name, label, tells in (row for row in told if len(row) == 3)
    ]
    assert documented == real


@each_page
def test_a_metric_that_is_named_exists(page: Path) -> None:
    real = {name for figure in METRICS for name in (figure.name, f"{figure.name}_total")}
    named = {word for word in pages.code(EVERYWHERE[page]) if re.fullmatch(r"hubbub_\w+", word)}
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
            assert f"`{name}`" in text, f"{page.name} has no word on {name}"
    assert sorted(reasons) == sorted(dependencies())


def test_every_decision_and_every_page_can_be_found() -> None:
    listed = {target for _, target in pages.links((DECISIONS / "README.md").read_text())}
    assert listed == {page.name for page in DECISIONS.glob("0*.md")}
    in_readme = {target for _, target in pages.links(README)}
    assert {f"docs/{page.name}" for page in pages.DOCS.glob("*.md")} <= in_readme


# Links, fences, files


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link from one page to another, or to a place in one, has an end."""
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not (there.exists() and there.is_relative_to(ROOT)):
        return False
    return not anchor or anchor in pages.anchors(there.read_text())


@each_page
def test_every_link_leads_somewhere(page: Path) -> None:
    relative = [
        target
        for is_image, target in pages.links(EVERYWHERE[page])
        if not is_image and not re.match(r"[a-z]+:", target)
    ]
    assert [target for target in relative if not leads_somewhere(page, target)] == []


@each_page
def test_every_image_is_there(page: Path) -> None:
    images = [target for is_image, target in pages.links(EVERYWHERE[page]) if is_image]
    assert [image for image in images if not (page.parent / image).is_file()] == []


@each_page
def test_every_example_in_json_is_what_it_claims_to_be(page: Path) -> None:
    for example in pages.fences(EVERYWHERE[page], "json"):
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
def test_a_file_that_is_named_exists_and_has_in_it_what_is_said(page: Path) -> None:
    """``store/executor.py: _run`` names a file by the end of its path, and something in it."""
    missing = []
    for named in pages.code(EVERYWHERE[page]):
        found = re.fullmatch(r"([\w./-]+\.(?:py|ts|c|svelte))(?:: (.+))?", named)
        if not found:
            continue
        files = [file for file in SOURCES if f"/{file}".endswith(f"/{found[1]}")]
        words = found[2].split(", ") if found[2] else []
        if not any(all(word in SOURCES[file] for word in words) for file in files):
            missing.append(named)
    assert missing == []


@each_page
def test_a_folder_of_tests_that_is_named_exists(page: Path) -> None:
    named = [
        name for name in pages.code(EVERYWHERE[page]) if re.match(r"(web/)?tests/|web/e2e", name)
    ]
    assert [name for name in named if not (ROOT / name).exists()] == []


def _sources() -> dict[str, str]:
    found = {}
    for folder in ("hubbub", "docs/examples", "web/src", "web/tests", "web/e2e", "bench", "tests"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in {".py", ".ts", ".c", ".svelte"} and "static" not in file.parts:
                found[str(file.relative_to(ROOT))] = file.read_text()
    return found


SOURCES = _sources()
