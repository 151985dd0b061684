from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from galleries.flows import album as album_flow
from galleries.models import Album, Archive, Collaborator, EmbeddingBlock, Face, LegalBasis, Link, Match, Photo, Selfie

from .rows import CountedDeletion, ReadOnly


class LegalBasisInline(ReadOnly, admin.TabularInline):
    model = LegalBasis
    extra = 0
    can_delete = False


@admin.register(Album)
class AlbumAdmin(CountedDeletion):
    goes_along = [
        (Photo, "album"),
        (Face, "photo__album"),
        (Link, "album"),
        (Selfie, "album"),
        (Match, "photo__album"),
        (Archive, "album"),
        (Collaborator, "album"),
    ]
    list_display = [
        "title", "owner", "event_date", "face_search", "moving", "all_photos", "waiting", "set_aside", "created_at",
        "deleted_at",
    ]  # fmt: skip
    list_filter = ["face_search", "engine", "next_engine", "created_at"]
    search_fields = ["title", "owner__email", "id"]
    date_hierarchy = "created_at"
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]
    # Face search is switched on with a legal basis, on the album's own page, by its owner; the cover is one of its
    # photos, and a choice of all photos of the site would be a long one.
    readonly_fields = [
        "id", "cover", "face_search", "engine", "next_engine", "moving", "duplicates", "created_at", "deleted_at",
    ]  # fmt: skip
    inlines = [LegalBasisInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Album]:
        waiting = Q(photos__state__in=[Photo.State.UPLOADED, Photo.State.PROCESSING])
        moved = EmbeddingBlock.objects.filter(album=OuterRef("pk"), engine=OuterRef("next_engine"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                photos_moved=Subquery(moved.values("album").annotate(blocks=Count("pk")).values("blocks")),
                photos_all=Count("photos"),
                photos_waiting=Count("photos", filter=waiting),
                photos_aside=Count("photos", filter=Q(photos__state=Photo.State.QUARANTINED)),
            )
        )

    def save_model(self, request: HttpRequest, obj: Album, form: ModelForm, change: bool) -> None:
        """What is not in the form may have changed since it was opened: face search, counts."""
        if not change:
            obj.save()
            return
        if "owner" in form.changed_data:
            album_flow.hand_over(obj, obj.owner)
        obj.save(update_fields=[name for name in form.changed_data if name != "owner"])

    def delete_all(self, rows: Iterable[Album]) -> None:
        for album in rows:
            album_flow.delete_for_good(album, patience=album_flow.A_WHILE)

    @admin.display(description=_("photos"), ordering="photos_all")
    def all_photos(self, album: Any) -> str:
        address = reverse("admin:galleries_photo_changelist") + f"?album__id__exact={album.pk}"
        return format_html('<a href="{}">{}</a>', address, album.photos_all)

    @admin.display(description=_("re-indexed"))
    def moving(self, album: Any) -> str:
        """How far an album is that moves to another engine."""
        return f"{album.photos_moved or 0} / {album.photos_all}" if album.next_engine else "-"

    @admin.display(description=_("waiting"), ordering="photos_waiting")
    def waiting(self, album: Any) -> int:
        return int(album.photos_waiting)

    @admin.display(description=_("set aside"), ordering="photos_aside")
    def set_aside(self, album: Any) -> int:
        return int(album.photos_aside)
