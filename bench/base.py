"""Another commit of Hubbub, to compare this one with.

It is extracted into `build/base/`, with its own environment if its locked packages differ from the
installed ones. Its own code creates the accounts, as the database schemas may differ; the load and
all measurements are this commit's.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import people
from bench.errors import BenchError
from bench.server import Hubbub

ROOT = Path(__file__).resolve().parents[1]
BASES = ROOT / "build" / "base"
LOCK_FILES = ("run.txt", "build.txt")
#: Run by the other commit's Python: calls a function of its `bench.people` by name.
CALL = """
import json, sys
from pathlib import Path
from bench import people
name, data, more = json.load(sys.stdin)
json.dump(getattr(people, name)(Path(data), *more), sys.stdout)
"""
FIND_PACKAGE = "import hubbub; print(hubbub.__file__)"


def checkout(commit: str) -> Hubbub:
    """Prepare a commit, tag or branch for serving. Raises BenchError if that fails."""
    name = _output(["git", "-C", str(ROOT), "rev-parse", "--verify", f"{commit}^{{commit}}"])
    root = BASES / name[:12]
    if not root.exists():
        _unpack(name, root)
    python = sys.executable if _has_the_same_packages(root) else _environment(root)
    found = Path(_output([python, "-c", FIND_PACKAGE], root))
    if not found.is_relative_to(root):
        raise BenchError(f"The base would be measured with {found}, which is not its own code.")
    return Hubbub([python, "-m", "hubbub"], name="base", root=root)


def call_people(hubbub: Hubbub, name: str, data: Path, *more: Any) -> Any:
    """Call a function of `bench.people` of the commit that will serve the data."""
    if hubbub.root is None:
        return getattr(people, name)(data, *more)
    asked = json.dumps([name, str(data.resolve()), more])
    return json.loads(_output([hubbub.command[0], "-c", CALL], hubbub.root, asked) or "null")


def _unpack(commit: str, root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    fresh = root.with_name(f"{root.name}.{os.getpid()}")
    fresh.mkdir()
    archive = root.with_suffix(".tar")
    _output(["git", "-C", str(ROOT), "archive", "--output", str(archive), commit])
    _output(["tar", "-xf", str(archive), "-C", str(fresh)])
    archive.unlink()
    fresh.rename(root)


def _has_the_same_packages(root: Path) -> bool:
    def digest(folder: Path) -> str:
        texts = [(folder / "requirements" / name).read_bytes() for name in LOCK_FILES]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()

    return digest(root) == digest(ROOT)


def _environment(root: Path) -> str:
    """Install the commit's packages with its own Makefile; return the path of its Python."""
    _output(["make", "-C", str(root), ".venv/.run"])
    return str(root / ".venv" / "bin" / "python")


def _output(command: Sequence[str], root: Path | None = None, given: str = "") -> str:
    done = subprocess.run(
        command, cwd=root, input=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip()
