"""Constants that stand in the statement itself, for conditions that a partial index shall answer.

SQLite takes such an index only where its condition stands word for word in the query, and never for a parameter.
"""

from typing import Any

from django.db import models
from django.db.models import Value


class Literal(Value):
    """A word of ours, never of anybody else's."""

    def __init__(self, word: str) -> None:
        if word and not word.isidentifier():
            raise ValueError(f"not a word of ours: {word!r}")
        super().__init__(word, output_field=models.CharField())

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[()]]:
        return f"'{self.value}'", ()
