"""Other releases to run beside this one: the previous commit, and later ones that are simulated."""

import os
import shutil
import subprocess
from pathlib import Path

import hubbub
from hubbub.store.schema.migrations import HEAD
from hubbub.version import RELEASE

_MIGRATION = '''"""A column that this release writes and the previous one does not know."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
works_with = "{works_with}"


def upgrade() -> None:
    op.add_column("messages", sa.Column("mood", sa.Text(), nullable=True))
'''

NEXT = f"{int(HEAD) + 1:04}"
VERSION = "99.0"


ROOT = Path(__file__).resolve().parents[2]


class NoPreviousCommitError(Exception):
    """There is no git here, or its history does not go back so far."""


def previous_commit(folder: Path) -> dict[str, str]:
    """Unpack the commit before this one; return the environment to run it in.

    ``HUBBUB_PREVIOUS`` names another commit. Raises NoPreviousCommitError.
    """
    folder.mkdir()
    archive = folder / "previous.tar"
    commit = os.environ.get("HUBBUB_PREVIOUS", "HEAD^")
    try:
        subprocess.run(
            ["git", "-C", ROOT, "archive", "--output", archive, commit, "hubbub"],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoPreviousCommitError from error
    shutil.unpack_archive(archive, folder)
    return _environment(folder)


def release(folder: Path, *, works_with: str) -> dict[str, str]:
    """Create a release with the schema `NEXT`; return the environment to run it in."""
    package = folder / "hubbub"
    current = Path(hubbub.__file__).parent
    shutil.copytree(current, package, ignore=shutil.ignore_patterns("__pycache__"))
    _replace(package / "version.py", f'RELEASE = "{RELEASE}"', f'RELEASE = "{VERSION}"')
    migrations = package / "store" / "schema" / "migrations"
    _replace(migrations / "__init__.py", f'HEAD = "{HEAD}"', f'HEAD = "{NEXT}"')
    migration = _MIGRATION.format(revision=NEXT, before=HEAD, works_with=works_with)
    (migrations / "versions" / f"v{NEXT}_mood.py").write_text(migration)
    return _environment(folder)


def _environment(folder: Path) -> dict[str, str]:
    # The folder of the tests must not come before it on the path.
    return {"PYTHONPATH": os.fspath(folder), "PYTHONSAFEPATH": "1"}


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, file
    file.write_text(text.replace(old, new))
