"""Unicode normalisation of untrusted text: checking the length first bounds the work.

The time of Python's `unicodedata.normalize` grows with the square of a run of combining marks: as
many as fit into one frame take half a minute. A ruff rule keeps all other modules from calling it.
"""

import unicodedata
from typing import Literal

from hubbub.model.errors import Invalid

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

# A composed character has at most four code points (U+1F82: alpha and three marks).
RAW_FACTOR = 4
# Consecutive marks, as in Unicode's Stream-Safe Text Format (UAX 15); no language needs more.
MARKS_MAX = 30


def normalized(text: str, form: Form, limit: int, error_text: str) -> str:
    """The text in this form. Raises Invalid with ``error_text`` if it is far above the limit.

    The caller checks the exact limit afterwards, as composing makes a text shorter.
    """
    if len(text) > RAW_FACTOR * limit:
        raise Invalid(error_text)
    if text.isascii():
        return text
    _require_few_marks(text)
    return unicodedata.normalize(form, text)  # noqa: TID251 - its length has been checked


def _require_few_marks(text: str) -> None:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MARKS_MAX:
            raise Invalid(f"A letter can have at most {MARKS_MAX} accents.")
