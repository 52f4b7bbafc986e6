"""A server with cheap password hashes: ``python -m tests.support.cheap_passwords … try …``.

Strong hashes would take most of the time of a test where many people sign in. The rest is
`tests.support.unreliable_bus`.
"""

from argon2 import PasswordHasher

from hubbub.gateway.auth import passwords
from tests.support import unreliable_bus

if __name__ == "__main__":
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    unreliable_bus.main()
