"""A server whose passwords cost nothing: ``python -m tests.support.cheap_passwords … try …``.

Strong hashes are the product's; where many people sign in they would be most of a test. The rest is
`tests.support.unreliable_bus`.
"""

from argon2 import PasswordHasher

from hubbub.gateway.auth import passwords
from tests.support import unreliable_bus

if __name__ == "__main__":
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    unreliable_bus.main()
