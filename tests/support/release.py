"""Simulated later releases: copies of this package with another schema, run beside it."""

import os
import shutil
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
    # The folder of the tests must not come before it on the path.
    return {"PYTHONPATH": os.fspath(folder), "PYTHONSAFEPATH": "1"}


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, file
    file.write_text(text.replace(old, new))
