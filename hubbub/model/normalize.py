"""Unicode normalisation of text from outside: its length is checked before, so the work is bounded.

Python's `unicodedata.normalize` takes time that grows with the square of a run of combining marks:
half a minute for the marks that fit into one frame. Nothing else in the package may call it (ruff
says so).
"""

import unicodedata
from typing import Literal

from hubbub.model.errors import Invalid

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

# No character of a composed form is made of more than four (U+1F82: alpha and three marks).
RAW_FACTOR = 4
# In a row, as in Unicode's Stream-Safe Text Format (UAX 15): more than any language has.
MARKS_MAX = 30


def normalized(text: str, form: Form, limit: int, refusal: str) -> str:
    """The text in this form. Raises Invalid with the ``refusal`` if it is far above the limit.

    The caller checks the exact limit afterwards, as composing makes a text shorter.
    """
    if len(text) > RAW_FACTOR * limit:
        raise Invalid(refusal)
    if text.isascii():
        return text
    _require_few_marks(text)
    return unicodedata.normalize(form, text)  # noqa: TID251 - its length has been checked


def _require_few_marks(text: str) -> None:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MARKS_MAX:
            raise Invalid(f"No letter has more than {MARKS_MAX} accents.")
