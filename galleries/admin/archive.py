from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from galleries.models import Archive

from .rows import ReadOnly, Rows


@admin.register(Archive)
class ArchiveAdmin(ReadOnly, Rows):
    list_display = ["id", "album", "holder", "size", "count", "bytes", "created_at"]
    list_filter = ["size", "created_at"]
    search_fields = ["id", "album__title", "user__email"]
    list_select_related = ["album", "user"]

    @admin.display(description=_("holder"))
    def holder(self, archive: Archive) -> str:
        return archive.user.email if archive.user else f"guest {archive.guest_id}"
