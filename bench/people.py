"""The people who come: accounts in a data folder, made before the server that is measured."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from secrets import token_urlsafe

from bench.errors import BenchError
from bench.server import HOST, Hubbub

#: Passwords are slow to hash on purpose and the server hashes two at a time.
AT_ONCE = 4


def sign_up(program: Hubbub, data: Path, count: int) -> list[str]:
    """Makes `count` accounts, members of the lobby, in `data`; returns a token for each."""
    with program.serving(data) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda number: _sign_up_one(server.port, number), range(count)))


def _sign_up_one(port: int, number: int) -> str:
    connection = HTTPConnection(HOST, port, timeout=120)
    body = json.dumps({"name": f"person-{number:05}", "password": token_urlsafe()})
    try:
        connection.request("POST", "/api/sign-up", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status // 100 != 2:
        raise BenchError(f"Nobody can sign up: {response.status} {answer[:300]!r}")
    token = json.loads(answer)["token"]
    return str(token)
