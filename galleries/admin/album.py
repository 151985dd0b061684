from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from galleries.flows import album as album_flow
from galleries.flows import suspension
from galleries.models import Album, Archive, Collaborator, EmbeddingBlock, Face, LegalBasis, Link, Match, Photo, Selfie

from .rows import CountedDeletion, Counting, FewPages, ReadOnly, ask_first


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
        "suspended_at", "deleted_at",
    ]  # fmt: skip
    list_filter = [("suspended_at", admin.EmptyFieldListFilter), "face_search", "engine", "next_engine", "created_at"]
    search_fields = ["title", "owner__email", "id"]
    date_hierarchy = "created_at"
    list_select_related = ["owner"]
    autocomplete_fields = ["owner"]
    # Face search is switched on with a legal basis, on the album's own page, by its owner; the cover is one of its
    # photos, and a choice of all photos of the site would be a long one.
    readonly_fields = [
        "id", "cover", "face_search", "engine", "next_engine", "moving", "duplicates", "created_at", "suspended_at",
        "deleted_at",
    ]  # fmt: skip
    inlines = [LegalBasisInline]
    list_per_page = 50
    paginator = FewPages
    show_full_result_count = False
    actions = ["suspend", "resume"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Counting]:
        return Counting

    def count_for(self, albums: list[Any]) -> None:
        """One query for the page's albums: a join would count the photos of all of them first."""
        ids = [album.pk for album in albums]
        counts: dict[UUID, Counter[str]] = defaultdict(Counter)
        states = Photo.objects.filter(album__in=ids).order_by().values_list("album", "state")
        for album, state, count in states.annotate(Count("state")):
            counts[album][state] = count
        moving = {album.pk: album.next_engine for album in albums if album.next_engine}
        blocks = EmbeddingBlock.objects.filter(album__in=list(moving), engine__in=set(moving.values())).order_by()
        moved = dict(blocks.values_list("album").annotate(Count("pk")))
        for album in albums:
            album.by_state, album.photos_moved = counts[album.pk], moved.get(album.pk, 0)

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

    @admin.action(description=_("Suspend at once"), permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Album]) -> HttpResponseBase | None:
        title = _("Suspend these albums?")
        text = _(
            "Their links open nothing from the next request on, and their owners only look. It can be lifted again."
        )
        if asked := ask_first(request, queryset, action="suspend", title=title, text=text):
            return asked
        for album in queryset:
            suspension.suspend_album(album)
        messages.success(request, _("Suspended."))
        return None

    @admin.action(description=_("Lift the suspension"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Album]) -> None:
        for album in queryset:
            suspension.resume_album(album)
        messages.success(request, _("The suspension is lifted."))

    @admin.display(description=_("photos"))
    def all_photos(self, album: Any) -> str:
        address = reverse("admin:galleries_photo_changelist", query={"album__id__exact": album.pk})
        return format_html('<a href="{}">{}</a>', address, album.by_state.total())

    @admin.display(description=_("re-indexed"))
    def moving(self, album: Any) -> str:
        """How far an album is that moves to another engine."""
        if not album.next_engine:
            return "-"
        # On its own page nobody has counted.
        if not hasattr(album, "by_state"):
            self.count_for([album])
        return f"{album.photos_moved} / {album.by_state.total()}"

    @admin.display(description=_("waiting"))
    def waiting(self, album: Any) -> int:
        return int(album.by_state["uploaded"] + album.by_state["processing"])

    @admin.display(description=_("set aside"))
    def set_aside(self, album: Any) -> int:
        return int(album.by_state["quarantined"])
