"""Every build has its own version, which comes from the commit and increases with it."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
# What a wheel is built from; the built page is left out, as it is large and git ignores it.
SOURCES = (".gitattributes", "LICENSE", "pyproject.toml", "hubbub")
FIRST, SECOND = "2026-01-31T23:59:58+00:00", "2026-02-01T02:00:01+02:00"

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="there is no git here")
# They share small clones, which each test worker would create again.
pytestmark = pytest.mark.xdist_group("version")


def copy_to(folder: Path, release: str = "0.2.0.dev") -> Path:
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            skipped = shutil.ignore_patterns("__pycache__", "static")
            shutil.copytree(source, folder / name, ignore=skipped)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    code = folder / "hubbub" / "version.py"
    code.write_text(re.sub('(?m)^RELEASE = ".*"$', f'RELEASE = "{release}"', code.read_text()))
    return folder


def run(*command: str, cwd: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def commit(checkout: Path, at: str) -> str:
    """Commit everything; return the short hash as in versions."""
    run("git", "add", "--all", cwd=checkout)
    by = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "commit.gpgsign=false")
    message = ("commit", "--quiet", "--allow-empty", "--message", "A change.")
    run("git", *by, *message, cwd=checkout, GIT_COMMITTER_DATE=at)
    return run("git", "rev-parse", "HEAD", cwd=checkout)[:7]


def build(folder: Path, dist: Path, target: str = "wheel") -> Path:
    before = set(dist.glob("*"))
    run(
        *(sys.executable, "-m", "hatchling", "build", "--target", target),
        *("--directory", str(dist)),
        cwd=folder,
    )
    [built] = set(dist.iterdir()) - before
    return built


def version_of(built: Path) -> str:
    found = re.fullmatch(r"hubbub-(.+?)(?:-py3-none-any\.whl|\.tar\.gz)", built.name)
    assert found, built
    return found[1]


def running(python: Path | str, folder: Path, **environment: str) -> str:
    code = "import hubbub; print(hubbub.__version__)"
    return run(str(python), "-c", code, cwd=folder, **environment)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = copy_to(tmp_path / "checkout")
    run("git", "init", "--quiet", cwd=folder)
    return folder


@needs_git
def test_a_newer_wheel_replaces_an_older_one(checkout: Path, tmp_path: Path) -> None:
    first = commit(checkout, FIRST)
    older = build(checkout, tmp_path / "older")
    second = commit(checkout, SECOND)
    newer = build(checkout, tmp_path / "newer")

    assert version_of(older) == f"0.2.0.dev20260131235958+g{first}"
    assert version_of(newer) == f"0.2.0.dev20260201000001+g{second}"
    assert Version("0.1.0") < Version(version_of(older)) < Version(version_of(newer))
    assert Version(version_of(newer)) < Version("0.2.0")

    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python))
    for wheel in (older, newer):
        run(*pip, "install", "--no-compile", "--no-deps", "--no-index", str(wheel), cwd=tmp_path)
        # An installed package knows its version without git.
        assert running(python, tmp_path) == version_of(wheel)


@needs_git
def test_a_checkout_has_the_version_of_its_commit_without_a_rebuild(checkout: Path) -> None:
    here = {"PYTHONPATH": str(checkout)}
    first = commit(checkout, FIRST)
    assert running(sys.executable, checkout, **here) == f"0.2.0.dev20260131235958+g{first}"
    second = commit(checkout, SECOND)
    assert running(sys.executable, checkout, **here) == f"0.2.0.dev20260201000001+g{second}"


@needs_git
def test_a_clone_without_history_has_the_same_version(checkout: Path, tmp_path: Path) -> None:
    commit(checkout, FIRST)
    commit(checkout, SECOND)
    shallow = tmp_path / "shallow"
    run("git", "clone", "--quiet", "--depth=1", f"file://{checkout}", str(shallow), cwd=tmp_path)

    one, other = (build(folder, tmp_path / "dist" / folder.name) for folder in (checkout, shallow))
    assert version_of(one) == version_of(other)


@needs_git
def test_an_archive_of_git_and_what_is_built_from_it_have_the_version_of_the_commit(
    checkout: Path, tmp_path: Path
) -> None:
    digest = commit(checkout, FIRST)
    archive = tmp_path / "archive.tar"
    run("git", "archive", "--output", str(archive), "HEAD", cwd=checkout)
    unpacked = unpack(archive, tmp_path / "unpacked")
    expected = f"0.2.0.dev20260131235958+g{digest}"
    assert running(sys.executable, unpacked, PYTHONPATH=str(unpacked)) == expected

    sdist = build(unpacked, tmp_path / "dist", "sdist")
    assert version_of(sdist) == expected
    [source] = unpack(sdist, tmp_path / "source").iterdir()
    assert version_of(build(source, tmp_path / "dist")) == expected


@needs_git
def test_changes_that_are_not_committed_make_it_another_version(
    checkout: Path, tmp_path: Path
) -> None:
    digest = commit(checkout, FIRST)
    (checkout / "hubbub" / "more.py").touch()
    changed = version_of(build(checkout, tmp_path / "dist"))

    assert re.fullmatch(rf"0\.2\.0\.dev\d{{14}}\+g{digest}\.changed", changed)
    assert Version(changed) > Version(f"0.2.0.dev20260131235958+g{digest}")


@needs_git
def test_a_repository_around_the_folder_is_ignored(tmp_path: Path) -> None:
    run("git", "init", "--quiet", cwd=tmp_path)
    folder = copy_to(tmp_path / "inside")
    commit(tmp_path, FIRST)

    assert version_of(build(folder, tmp_path / "dist")) == "0.2.0.dev0"


def test_a_folder_of_unknown_version_can_still_be_built(tmp_path: Path) -> None:
    folder = copy_to(tmp_path / "folder")

    assert version_of(build(folder, tmp_path / "dist")) == "0.2.0.dev0"
    assert running(sys.executable, folder, PYTHONPATH=str(folder)) == "0.2.0.dev0"


def test_a_release_has_only_its_number(tmp_path: Path) -> None:
    folder = copy_to(tmp_path / "folder", "0.2.0")

    assert version_of(build(folder, tmp_path / "dist")) == "0.2.0"


@needs_git
def test_without_git_a_checkout_can_still_be_built(checkout: Path, tmp_path: Path) -> None:
    commit(checkout, FIRST)
    empty = tmp_path / "empty"
    empty.mkdir()

    here = {"PYTHONPATH": str(checkout), "PATH": str(empty)}
    assert running(sys.executable, checkout, **here) == "0.2.0.dev0"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "0.2.0.dev0"),
        (f"1769903998 {'5ca1ab1e' * 5}", "0.2.0.dev20260131235958+g5ca1ab1"),
    ],
)
def test_the_image_has_the_version_of_the_commit_that_docker_is_given(
    tmp_path: Path, given: str, expected: str
) -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    [step] = re.findall(r"(?m)^ARG COMMIT\nRUN (.*)$", dockerfile)
    folder = copy_to(tmp_path / "folder")
    run("sh", "-c", step, cwd=folder, COMMIT=given)

    assert version_of(build(folder, tmp_path / "dist")) == expected


def unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder
