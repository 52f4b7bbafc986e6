"""Builds and runs the load generator `load.c`, and decodes its results."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from bench.errors import BenchError
from bench.server import Server

SOURCE = Path(__file__).with_name("load.c")
BUILT = Path(__file__).resolve().parents[1] / "build" / "bench"
FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")

HELLO = '{"id":1,"do":"hello","epoch":null,"rooms":{}}'
POST = '{"id":%i,"do":"post","room":"lobby","text":"%t","nonce":"%n"}'
POST_OVER_HTTP = '{"text":"%t","nonce":"%n"}'


class ChatResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `load chat`. `lost` is counted for each client; nothing is sampled."""

    clients: int
    rate: float
    seconds: float
    sent: int
    unsent: int
    deliveries: int
    expected: int
    lost: int
    repeated: int
    wrong: int
    closed: int
    close_code: int
    deliveries_per_s: float
    p50_us: float
    p99_us: float
    max_us: float
    late_p99_us: float
    bytes_in: int
    load_cpu_s: float
    notices: int
    first_notice: str
    #: Set by `Load`, which can read the server's process.
    server_cpu_s: float = 0.0

    @property
    def server_us_per_delivery(self) -> float:
        return self.server_cpu_s / self.deliveries * 1e6 if self.deliveries else float("inf")


class ConnectResult(msgspec.Struct, frozen=True, kw_only=True):
    clients: int
    connect_s: float
    closed: int
    bytes_in: int
    load_cpu_s: float


class PostResult(msgspec.Struct, frozen=True, kw_only=True):
    clients: int
    seconds: float
    sent: int
    acknowledged: int
    refused: int
    first_refusal: int
    closed: int
    posts_per_s: float
    p50_us: float
    p99_us: float
    max_us: float
    load_cpu_s: float
    server_cpu_s: float = 0.0


@dataclass(frozen=True)
class Endpoint:
    """The path and protocol of clients, and the messages that they send."""

    path: str
    protocol: str | None = None
    hello: str | None = None
    welcome: str | None = None
    template: str = "%t"

    def arguments(self) -> list[str]:
        named = {
            "--path": self.path,
            "--protocol": self.protocol,
            "--hello": self.hello,
            "--welcome": self.welcome,
            "--template": self.template,
        }
        return [part for name, value in named.items() if value for part in (name, value)]


TEXT_SOCKET = Endpoint("/ws?room=lobby")
JSON_SOCKET = Endpoint("/ws", "hubbub.v1", HELLO, '"re":1,"ok"', POST)
HTTP_API = Endpoint("/api/rooms/lobby/messages", template=POST_OVER_HTTP)


def compiler() -> str | None:
    """The C compiler of this machine, None if there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(source: Path = SOURCE, flags: Sequence[str] = FLAGS) -> Path:
    """Compile a C file unless it is already compiled; return the path of the program.

    Raises BenchError if there is no compiler or the source does not compile.
    """
    cc = compiler()
    if cc is None:
        raise BenchError("The load generator is written in C: install a C compiler (gcc).")
    # The digest includes the headers, so that an edit of any of them rebuilds the program.
    folders = {source.with_suffix(""), SOURCE.with_suffix("")}
    texts = [source, *sorted(path for folder in folders for path in folder.glob("*.h"))]
    digest = hashlib.sha256(b"\0".join([path.read_bytes() for path in texts])).hexdigest()
    program = BUILT / f"{source.stem}-{digest[:12]}"
    if program.exists():
        return program
    BUILT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        fresh = Path(folder) / source.stem
        command = [cc, *flags, "-o", str(fresh), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{source.name} does not compile:\n{done.stderr}")
        fresh.rename(program)
    return program


#: Sends so many messages a second for so many seconds, and returns when all are counted.
Step = Callable[[float, float], ChatResult]

Result = TypeVar("Result", ChatResult, ConnectResult, PostResult)


class Load:
    """Runs the load generator against one server."""

    def __init__(self, server: Server, endpoint: Endpoint, tokens: Path | None = None) -> None:
        self.server = server
        self.endpoint = endpoint
        self.tokens = tokens

    @contextmanager
    def chat(self, *, clients: int, senders: int, size: int) -> Iterator[Step]:
        """Connect, and yield a function that sends at a rate for a while.

        The clients stay connected for all steps; if some were disconnected, all reconnect.
        """
        values = {"clients": clients, "senders": senders, "size": size}
        with ExitStack() as stack:
            process: subprocess.Popen[str] | None = None

            def step(rate: float, seconds: float) -> ChatResult:
                nonlocal process
                if process is None:
                    process = stack.enter_context(self._running("chat", ["--pause"], **values))
                    self._expect_ready(process)
                before = self.server.cpu_s()
                send_line(process, f"{rate:.9g} {seconds:g}")
                result = self._result(process, ChatResult)
                used = self.server.cpu_s() - before
                if result.closed:
                    stack.close()
                    process = None
                return msgspec.structs.replace(result, server_cpu_s=used)

            yield step

    def post(self, *, connections: int, seconds: float, size: int, most: float = 1e9) -> PostResult:
        """Keep one HTTP post pending on each connection for `seconds` or `most` posts."""
        values = {"clients": connections, "seconds": seconds, "size": size, "most": most}
        with self._running("post", [], **values) as process:
            before = self.server.cpu_s()
            result = self._result(process, PostResult)
            used = self.server.cpu_s() - before
        return msgspec.structs.replace(result, server_cpu_s=used)

    @contextmanager
    def connected(
        self, *, clients: int, at_once: int, skip: int = 0, timeout_s: float = 120
    ) -> Iterator[ConnectResult]:
        """Connect like browsers, `at_once` at a time, and stay idle inside the block.

        `skip` leaves out the tokens of clients that are already connected.
        """
        values = {"clients": clients, "at-once": at_once, "skip": skip, "timeout": timeout_s}
        with self._running("connect", ["--hold", "--browser"], **values) as process:
            yield self._result(process, ConnectResult)
            process.communicate(timeout=60)

    @contextmanager
    def _running(
        self, mode: str, switches: Sequence[str], **values: float
    ) -> Iterator[subprocess.Popen[str]]:
        command = [str(build()), mode, *switches, "--port", str(self.server.port)]
        command += self.endpoint.arguments()
        if self.tokens is not None:
            command += ["--tokens", str(self.tokens)]
        for name, value in values.items():
            command += [f"--{name}", f"{value:.9g}"]
        with running(command) as process:
            yield process

    def _expect_ready(self, process: subprocess.Popen[str]) -> None:
        line = stream_of(process.stderr).readline()
        if line.strip() != "ready":
            raise BenchError(self._failure(line, process))

    def _result(self, process: subprocess.Popen[str], kind: type[Result]) -> Result:
        line = stream_of(process.stdout).readline()
        if not line:
            raise BenchError(self._failure("", process))
        return msgspec.json.decode(line, type=kind)

    def _failure(self, line: str, process: subprocess.Popen[str]) -> str:
        stderr = (line + stream_of(process.stderr).read()).strip()
        return f"The load generator failed: {stderr or 'no reason given'}\n{self.server.log_tail()}"


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a load generator that reads commands on stdin; it is killed at the end."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream_of(stream).close()


def stream_of(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise BenchError("The load generator was started without its pipes.")
    return stream


def send_line(process: subprocess.Popen[str], line: str) -> None:
    stdin = stream_of(process.stdin)
    stdin.write(line + "\n")
    stdin.flush()
