from collections.abc import Iterable

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import photo as photo_flow
from galleries.models import Face, Match, Photo
from galleries.models.photo import PhotoQuerySet

from .rows import CountedDeletion, ReadOnly


@admin.register(Photo)
class PhotoAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Face, "photo"), (Match, "photo")]
    list_display = ["name", "album", "state", "code", "attempts", "strikes", "face_count", "size", "received_at"]
    list_filter = ["state", "code", "hidden", "received_at"]
    search_fields = ["name", "album__title", "album__owner__email", "id", "sha256"]
    list_select_related = ["album"]
    date_hierarchy = "received_at"
    show_full_result_count = False
    actions = ["retry"]

    @admin.action(description=_("Take up quarantined photos once more"), permissions=["delete"])
    def retry(self, request: HttpRequest, queryset: PhotoQuerySet) -> None:
        count = photo_flow.retry(queryset)
        messages.success(request, _("%(count)s photos will be tried again.") % {"count": count})

    def delete_all(self, rows: Iterable[Photo]) -> None:
        photo_flow.delete(rows)
