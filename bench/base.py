"""Another commit of Hubbub, side by side with this one.

It is unpacked into `build/base/`, with an environment of its own where its locked packages are
not the ones installed here. Accounts for it are made by its own code, as a database of one commit
is not one of the other; the load, and everything that is measured, is this commit's.
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

HERE = Path(__file__).resolve().parents[1]
BASES = HERE / "build" / "base"
LOCKS = ("run.txt", "build.txt")
#: What another commit's Python is told: call that function of its `bench.people`.
CALL = """
import json, sys
from pathlib import Path
from bench import people
name, data, more = json.load(sys.stdin)
json.dump(getattr(people, name)(Path(data), *more), sys.stdout)
"""
WHERE = "import hubbub; print(hubbub.__file__)"


def unpacked(commit: str) -> Hubbub:
    """A commit, a tag or a branch, ready to be served. Raises BenchError if it cannot be."""
    name = _output(["git", "-C", str(HERE), "rev-parse", "--verify", f"{commit}^{{commit}}"])
    root = BASES / name[:12]
    if not root.exists():
        _unpack(name, root)
    python = sys.executable if _has_the_same_packages(root) else _environment(root)
    found = Path(_output([python, "-c", WHERE], root))
    if not found.is_relative_to(root):
        raise BenchError(f"The base would be measured with {found}, which is not its own.")
    return Hubbub([python, "-m", "hubbub"], name="base", root=root)


def accounts(hubbub: Hubbub, name: str, data: Path, *more: Any) -> Any:
    """Calls this function of `bench.people`, of the commit that will serve the data."""
    if hubbub.root is None:
        return getattr(people, name)(data, *more)
    asked = json.dumps([name, str(data.resolve()), more])
    return json.loads(_output([hubbub.command[0], "-c", CALL], hubbub.root, asked) or "null")


def _unpack(commit: str, root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    fresh = root.with_name(f"{root.name}.{os.getpid()}")
    fresh.mkdir()
    archive = root.with_suffix(".tar")
    _output(["git", "-C", str(HERE), "archive", "--output", str(archive), commit])
    _output(["tar", "-xf", str(archive), "-C", str(fresh)])
    archive.unlink()
    fresh.rename(root)


def _has_the_same_packages(root: Path) -> bool:
    def digest(where: Path) -> str:
        texts = [(where / "requirements" / name).read_bytes() for name in LOCKS]
        return hashlib.sha256(b"\0".join(texts)).hexdigest()

    return digest(root) == digest(HERE)


def _environment(root: Path) -> str:
    """The commit's own way to install what it needs."""
    _output(["make", "-C", str(root), ".venv/.run"])
    return str(root / ".venv" / "bin" / "python")


def _output(command: Sequence[str], root: Path | None = None, given: str = "") -> str:
    done = subprocess.run(
        command, cwd=root, input=given, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout.strip()
