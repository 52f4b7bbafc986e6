"""Pages of lists: how long a page may be, and the cursor that continues a list."""

from typing import Annotated

import msgspec

LIST_PAGE_MAX = 100

PageLimit = Annotated[int, msgspec.Meta(ge=1, le=LIST_PAGE_MAX)]
Cursor = Annotated[
    str, msgspec.Meta(max_length=200, description="The `cursor` of the previous page")
]
