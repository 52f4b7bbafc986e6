"""The files in deploy/ refer only to existing sources, settings, commands and files.

Docker is not run; this tests what can be tested without it.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer

from hubbub.cli.commands import app
from hubbub.cli.options import variable
from tests.docs import pages
from tests.support.site import Site

ROOT = pages.ROOT
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "hubbub.service").read_text()
README = (DEPLOY / "README.md").read_text()
FILES = {path.name: path.read_text() for path in sorted(DEPLOY.iterdir()) if path.name[0] != "."}

SERVE = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]  # a group
OPTIONS = {
    name for param in SERVE.params for name in (*param.opts, *param.secondary_opts) if name != "-h"
}
VARIABLES = {variable(name) for name in OPTIONS}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, each as its name and arguments."""
    lines = re.sub(r"(?m)^#.*\n", "", DOCKERFILE).replace("\\\n", " ").splitlines()
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word
    ]


def arguments_of(word: str) -> list[str]:
    return [rest for found, rest in instructions() if found == word]


# Settings


@pytest.mark.parametrize("name", FILES)
def test_every_variable_in_the_files_is_a_setting(name: str) -> None:
    assert set(re.findall(r"\bHUBBUB_[A-Z][A-Z_]*\b", FILES[name])) <= VARIABLES


@pytest.mark.parametrize("name", FILES)
def test_every_option_of_hubbub_serve_in_the_files_exists(name: str) -> None:
    for command in re.findall(r"hubbub serve\b(.*)", FILES[name].replace("\\\n", " ")):
        assert set(re.findall(r"--[a-z-]+", command)) <= OPTIONS


# The image


def test_files_copied_into_the_image_exist_and_are_not_ignored() -> None:
    copied = [
        source
        for rest in arguments_of("COPY")
        if not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert is_sent(source.rstrip("/")), f".dockerignore excludes {source}"


def is_sent(path: str) -> bool:
    """Whether .dockerignore includes the path in the build; the last matching line counts."""
    is_included = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if pattern and pattern[0] != "#" and _matches(path, pattern):
            is_included = line.startswith("!")
    return is_included


def _matches(path: str, pattern: str) -> bool:
    """Whether a pattern matches a path or one of its parents."""
    parts = path.split("/")
    above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern[3:]) for part in parts)
    return any(one.count("/") == pattern.count("/") and fnmatch(one, pattern) for one in above)


@pytest.mark.parametrize(
    "path",
    [
        *(".git/config", "hubbub-data/hubbub.db", ".venv/bin/python", "tests/conftest.py"),
        *("web/node_modules/vite/package.json", "hubbub/gateway/static/index.html"),
        "hubbub/cli/__pycache__/people.pyc",
    ],
)
def test_only_copied_files_are_sent_to_docker(path: str) -> None:
    assert not is_sent(path)


def test_every_stage_is_built_before_it_is_copied_from() -> None:
    known: set[str] = set()
    for word, rest in instructions():
        if word == "FROM" and (named := re.search(r" AS (\w+)$", rest)):
            known.add(named[1])
        if word == "COPY" and (source := re.match(r"--from=(\w+) ", rest)):
            assert source[1] in known
    assert known == {"client", "program"}


def test_the_container_runs_unprivileged_and_stops_cleanly() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    user = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user == ["hubbub"]
    assert re.search(r"useradd --system --uid \d{5} .* hubbub\b", last)
    assert arguments_of("STOPSIGNAL") == ["SIGTERM"]
    assert arguments_of("VOLUME") == ["/data"]
    assert arguments_of("EXPOSE") == ["8080"]


def test_the_container_starts_a_server_on_all_addresses_with_its_data_in_the_volume() -> None:
    [entry], [command] = arguments_of("ENTRYPOINT"), arguments_of("CMD")
    assert json.loads(entry) == ["hubbub"]
    all_addresses = "0.0.0.0"  # noqa: S104 - of its container
    assert json.loads(command) == ["serve", "--host", all_addresses, "--data", "/data"]


@pytest.mark.parametrize("ready", [True, False])
def test_the_health_check_tells_whether_the_server_is_ready(tmp_path: Path, ready: bool) -> None:
    [check] = arguments_of("HEALTHCHECK")
    python, *arguments = json.loads(check[check.index("[") :])
    assert python == "python"
    site = Site(tmp_path / "data").start()
    try:
        site.app.dispatcher.is_ready = ready
        here = [one.replace("8080", str(site.port)) for one in arguments]
        assert here != arguments
        done = subprocess.run([sys.executable, *here], check=False, capture_output=True, timeout=30)
        assert (done.returncode == 0) is ready
        site.app.dispatcher.is_ready = True
    finally:
        site.stop()


# nginx


def test_the_commented_examples_have_the_tested_form() -> None:
    further = re.findall(r"(?m)^ +# (server 10\..*)$", FILES["nginx.conf"])
    assert len(further) == 2
    assert all(re.fullmatch(r"server [\d.]+:8080 fail_timeout=5s;", one) for one in further)


# systemd


def test_the_unit_stops_like_the_server_and_may_open_a_file_per_connection() -> None:
    given = dict(line.split("=", 1) for line in UNIT.splitlines() if re.match(r"[A-Z]\w+=", line))
    assert given["ExecStart"].endswith("/hubbub serve")
    assert int(given["LimitNOFILE"]) >= 65536
    assert int(given["TimeoutStopSec"]) > 5
    assert given["Restart"] == "on-failure"
    # The process_… metrics need the boot time in /proc.
    assert "ProcSubset" not in given


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_accepts_the_unit_and_rates_it_well_isolated(tmp_path: Path) -> None:
    unit = tmp_path / "hubbub.service"
    # It checks that program and user exist, which only an installed Hubbub has.
    text = UNIT.replace("/opt/hubbub/bin/hubbub", sys.executable)
    unit.write_text(re.sub(r"(?m)^(User|Group)=.*\n", "", text))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    about_it = [line for line in verified.stderr.splitlines() if "hubbub" in line]
    assert about_it == []


# The page


def test_every_link_of_the_page_exists_and_every_file_is_mentioned() -> None:
    targets = [target for _, target in pages.links(README) if not re.match(r"[a-z]+:", target)]
    for target in targets:
        path, _, anchor = target.partition("#")
        linked = (DEPLOY / path).resolve()
        assert linked.exists(), target
        assert not anchor or anchor in pages.anchors(linked.read_text()), target
    assert set(FILES) - {"README.md"} <= {target.partition("#")[0] for target in targets}
