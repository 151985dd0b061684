from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from galleries.models import Arrival, Erasure

from .rows import ReadOnly, Rows


@admin.register(Arrival, Erasure)
class ErasureAdmin(ReadOnly, Rows):
    """Files to come and files to be deleted; empty but for moments. Deleting the row would leave them for ever."""

    list_display = ["__str__", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
