"""The wheel of `make dist` works with only the pinned packages, without a checkout or Node.js."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10

# One worker builds the wheel for both.
pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dist = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(dist))
    [built] = dist.iterdir()
    return built


def test_the_wheel_carries_every_source_file_and_the_built_client(wheel: Path) -> None:
    package = ROOT / "hubbub"
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name[0] != "."
    }
    packed = set(ZipFile(wheel).namelist())

    assert expected <= packed
    assert "hubbub/gateway/static/index.html" in packed, "build the client first: make web"


# Installing may download everything that the server needs.
@pytest.mark.timeout(600)
def test_a_server_installed_from_the_wheel_serves_the_client_and_stops_cleanly(
    wheel: Path, tmp_path: Path
) -> None:
    hubbub = install(wheel, tmp_path / "env")

    with serving(hubbub, tmp_path) as (server, address):
        page = fetch(address, "text/html")
        scripts = re.findall(r'<script[^>]* src="([^"]+)"', page)
        assert scripts, page
        for script in scripts:
            assert fetch(address + script, "text/javascript")

        server.send_signal(signal.SIGTERM)
        assert server.wait(STOP_TIMEOUT_S) == 0


def install(wheel: Path, environment: Path) -> Path:
    """Install the wheel and its pinned requirements into a new environment; return its command."""
    # This environment's pip installs into it, as unpacking another pip would take too long.
    venv.create(environment, with_pip=False)
    pip = (
        *(sys.executable, "-m", "pip", "--disable-pip-version-check"),
        *("--python", str(environment / "bin" / "python"), "install", "--no-compile"),
    )
    run(*pip, "--require-hashes", "--requirement", str(ROOT / "requirements" / "run.txt"))
    run(*pip, "--no-deps", "--no-index", str(wheel))
    return environment / "bin" / "hubbub"


@contextmanager
def serving(hubbub: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [hubbub, "serve", "--port", str(port), "--data", folder / "data"],
            # Away from the checkout and its settings, so that only what was installed counts.
            cwd=folder,
            env=outside_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(server, address, log)
        yield server, address
    finally:
        server.kill()
        server.wait()


def wait_until_ready(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            fetch(f"{address}/readyz")
        except OSError:  # refused, closed, or not yet ready; urllib's errors are all OSErrors
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the server never got ready:\n{log.read_text()}")


def fetch(url: str, content_type: str = "") -> str:
    with urlopen(url, timeout=START_TIMEOUT_S) as reply:
        assert reply.headers["Content-Type"].startswith(content_type)
        body: bytes = reply.read()
    return body.decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def outside_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HUBBUB_", "PYTHON"))
    }


def run(*command: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
