"""The version: the number of the next release, and the commit this copy was built from.

This file needs the standard library only, as the build runs it before anything is installed.
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

RELEASE = "0.2.0.dev"
"""``.dev`` is removed for the release, and added to the next number after it."""

# The commit's time in seconds and its hash; `git archive` fills them in (see .gitattributes).
ARCHIVED = "$Format:%ct %H$"

_ROOT = Path(__file__).resolve().parents[1]


def current_version() -> str:
    """The version of this copy of the program."""
    return _installed_version() or _format(_commit())


def build_version() -> str:
    """The version of a build from this folder, uncommitted changes included."""
    changed = _git("status", "--porcelain", "--", "hubbub", "web", "pyproject.toml")
    if not changed:
        return _format(_commit())
    _, _, commit = _commit().partition(" ")
    # The time makes two builds with different changes on the same commit have different versions.
    return f"{_format(f'{datetime.now(UTC).timestamp():.0f} {commit}')}.changed"


def _installed_version() -> str:
    """The version in the metadata of the installed package; empty in a checkout."""
    from importlib.metadata import distributions

    found = distributions(name="hubbub", path=[str(_ROOT)])
    return next((distribution.version for distribution in found), "")


def _commit() -> str:
    """The commit's time and hash, in the form of `ARCHIVED`; empty if they are unknown."""
    if not ARCHIVED.startswith("$"):
        return ARCHIVED
    return _git("-c", "log.showSignature=false", "log", "-1", "--format=%ct %H")


def _format(commit: str) -> str:
    """The version in the form of PEP 440. The commit's time makes later versions sort higher."""
    if not RELEASE.endswith(".dev"):
        return RELEASE
    if not commit:
        return f"{RELEASE}0"
    at_s, _, digest = commit.partition(" ")
    return f"{RELEASE}{datetime.fromtimestamp(int(at_s), UTC):%Y%m%d%H%M%S}+g{digest[:7]}"


def _git(*arguments: str) -> str:
    """The output of a git command on this checkout; empty without git or outside a checkout."""
    # Without a path git would search the folders above.
    folder = _ROOT / ".git"
    if not folder.exists():
        return ""
    options = ("--no-optional-locks", f"--git-dir={folder}", f"--work-tree={_ROOT}")
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are those of the calls above
            ["git", *options, *arguments],  # noqa: S607 - found on the PATH
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
