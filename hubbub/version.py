"""The version: of the release being worked on, and of the commit it was built from.

It needs nothing but Python, since the build runs this file before anything is installed.
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

RELEASE = "0.2.0.dev"
"""A release has its number alone here; after it comes the next one with ``.dev``."""

# Time of the commit in seconds, and its hash: `git archive` fills them in (see .gitattributes).
ARCHIVED = "$Format:%ct %H$"

_ROOT = Path(__file__).resolve().parents[1]


def running() -> str:
    """The version of this copy of the program."""
    return _installed() or _named(_commit())


def to_build() -> str:
    """The version of what is built from this folder now, its uncommitted changes included."""
    changed = _git("status", "--porcelain", "--", "hubbub", "web", "pyproject.toml")
    if not changed:
        return _named(_commit())
    _, _, commit = _commit().partition(" ")
    # As every build, two with changes since the same commit have versions of their own.
    return f"{_named(f'{datetime.now(UTC).timestamp():.0f} {commit}')}.changed"


def _installed() -> str:
    """As written beside this package when it was installed; nothing in a checkout."""
    from importlib.metadata import distributions

    found = distributions(name="hubbub", path=[str(_ROOT)])
    return next((one.version for one in found), "")


def _commit() -> str:
    """Its time and hash, in the form of `ARCHIVED`; nothing if there is no telling."""
    if not ARCHIVED.startswith("$"):
        return ARCHIVED
    return _git("-c", "log.showSignature=false", "log", "-1", "--format=%ct %H")


def _named(commit: str) -> str:
    """PEP 440's form. The time makes versions rise, also without a history to count commits in."""
    if not RELEASE.endswith(".dev"):
        return RELEASE
    if not commit:
        return f"{RELEASE}0"
    at_s, _, digest = commit.partition(" ")
    return f"{RELEASE}{datetime.fromtimestamp(int(at_s), UTC):%Y%m%d%H%M%S}+g{digest[:7]}"


def _git(*arguments: str) -> str:
    """The output of a git command on this checkout; empty without git or outside a checkout."""
    # Named, or else git would look for one in the folders above.
    folder = _ROOT / ".git"
    if not folder.exists():
        return ""
    where = ("--no-optional-locks", f"--git-dir={folder}", f"--work-tree={_ROOT}")
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are those above
            ["git", *where, *arguments],  # noqa: S607 - wherever it is
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
