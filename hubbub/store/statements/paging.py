"""The cursor of lists that are ordered by time."""

Cursor = tuple[int, int, int]
"""Time, room pk and seq of a page's last row; the next page has older rows."""
