"""``python -m tests.support.hasty LOST,TWICE,LATE try …``: a server whose passwords cost nothing.

Strong hashes are the product's; where many people sign in they would be most of a test. The rest is
`tests.support.unreliable`.
"""

from argon2 import PasswordHasher

from hubbub.gateway.auth import passwords
from tests.support import unreliable

if __name__ == "__main__":
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    unreliable.main()
