"""The administrator's desk. Rows are looked at and acted on here; faces, vectors and secrets are never shown.

Whatever has stored files is deleted by its journey, never by Django's own deletion, which knows rows only.
"""

from collections.abc import Iterable
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import Count, Model, OuterRef, Q, QuerySet, Subquery
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from galleries.flows import album as album_flow
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.flows import visit as visit_flow
from galleries.flows.quota import Quota
from galleries.models import (
    Album,
    ApiToken,
    Archive,
    Arrival,
    Collaborator,
    EmbeddingBlock,
    Erasure,
    Face,
    Guest,
    LegalBasis,
    Link,
    Match,
    Photo,
    Selfie,
    User,
)
from galleries.models.photo import PhotoQuerySet

admin.site.site_header = admin.site.site_title = "Pixora"
_is_staff = admin.site.has_permission


def _may_enter(request: HttpRequest) -> bool:
    return _is_staff(request) and not _lacks_second_factor(request)


def _lacks_second_factor(request: HttpRequest) -> bool:
    return settings.PIXORA_STAFF_NEED_MFA and not is_mfa_enabled(request.user)


@secure_admin_login
def _login(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
    """Only staff who are signed in come here: they lack the second factor, or came by this address."""
    if not _lacks_second_factor(request):
        return redirect("admin:index")
    messages.warning(request, _("The administration wants a second step at sign-in. Set it up here, then go on."))
    return redirect("mfa_index")


admin.site.has_permission = _may_enter  # type: ignore[method-assign]
admin.site.login = _login  # type: ignore[method-assign]


class ReadOnly:
    """Rows that come about by what people do, and are not to be written by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CountedDeletion(admin.ModelAdmin):
    """Asks before a deletion with numbers: Django's own page would load and list every photo, face and match."""

    # What is deleted along, and where it names the row that is deleted: (model, lookup).
    goes_along: list[tuple[type[Model], str]] = []
    _NAMED = 20

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        chosen = objs.order_by().values("pk") if isinstance(objs, QuerySet) else [each.pk for each in objs]
        count = len(objs) if isinstance(objs, list) else objs.count()
        names = [str(each) for each in objs[: self._NAMED]] + (["…"] if count > self._NAMED else [])
        counts, forbidden = {str(self.opts.verbose_name_plural): count}, set()
        for model, lookup in self.goes_along:
            if number := model._default_manager.filter(**{f"{lookup}__in": chosen}).count():
                counts[str(model._meta.verbose_name_plural)] = number
                if not self._may_delete(request, model):
                    forbidden.add(str(model._meta.verbose_name))
        return names, counts, forbidden, []

    def _may_delete(self, request: HttpRequest, model: type[Model]) -> bool:
        known = self.admin_site.is_registered(model)
        return not known or self.admin_site.get_model_admin(model).has_delete_permission(request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_all([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.delete_all(queryset)

    def delete_all(self, rows: Iterable[Any]) -> None:
        """By the journey that deletes their files too."""
        raise NotImplementedError


@admin.register(User)
class UserAdmin(CountedDeletion, DjangoUserAdmin):
    goes_along = [
        (Album, "owner"),
        (Photo, "album__owner"),
        (Face, "photo__album__owner"),
        (Link, "album__owner"),
        (Selfie, "album__owner"),
        (Collaborator, "user"),
        (Guest, "user"),
        (ApiToken, "user"),
    ]
    ordering = ["email"]
    search_fields = ["email", "first_name", "last_name"]
    list_display = ["email", "album_count", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        (_("Person"), {"fields": ["first_name", "last_name"]}),
        (_("Quota"), {"fields": ["photo_limit", "byte_limit", "kept"]}),
        (_("Permissions"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    readonly_fields = ["kept"]
    add_fieldsets = [(None, {"fields": ["email", "usable_password", "password1", "password2"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(albums_made=Count("albums"))

    @transaction.atomic
    def delete_all(self, rows: Iterable[User]) -> None:
        for user in rows:
            # All of them before what each of them gives back to the quota.
            for album in user.albums.locked().order_by("pk"):
                album_flow.delete_for_good(album)
            for guest in user.guests.all():
                _erase(guest)
            user.delete()

    @admin.display(description=_("photos and bytes kept"))
    def kept(self, user: User) -> str:
        quota = Quota.of(user.pk)
        return f"{quota.photos} / {quota.photo_limit or '-'}, {quota.bytes} / {quota.byte_limit or '-'}"

    @admin.display(description=_("albums"), ordering="albums_made")
    def album_count(self, user: Any) -> int:
        return int(user.albums_made)


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


@admin.register(Collaborator)
class CollaboratorAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["album", "user", "role", "created_at"]
    list_filter = ["role"]
    search_fields = ["album__title", "user__email"]
    list_select_related = ["album", "user"]


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


@admin.register(Link)
class LinkAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Selfie, "link"), (Match, "selfie__link"), (Archive, "selfie__link")]
    list_display = ["album", "enabled", "can_browse", "can_download", "expires_at", "uses", "max_uses", "created_at"]
    list_filter = ["enabled", "can_browse", "can_download"]
    search_fields = ["album__title", "album__owner__email", "id"]
    list_select_related = ["album"]
    fields = ["id", "album", "enabled", "can_browse", "can_download", "expires_at", "uses", "max_uses", "created_at"]
    actions = ["switch_off"]

    @admin.action(description=_("Switch off at once"), permissions=["delete"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Link]) -> None:
        messages.success(request, _("%(count)s links are off.") % {"count": queryset.update(enabled=False)})

    def delete_all(self, rows: Iterable[Link]) -> None:
        for link in rows:
            visit_flow.delete_link(link)


@admin.register(Guest)
class GuestAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Selfie, "guest"), (Match, "selfie__guest"), (Archive, "guest")]
    list_display = ["id", "user", "searches", "created_at"]
    search_fields = ["id", "user__email"]
    list_select_related = ["user"]
    fields = ["id", "user", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Guest]:
        return super().get_queryset(request).annotate(selfie_count=Count("selfies"))

    @admin.display(description=_("searches"), ordering="selfie_count")
    def searches(self, guest: Any) -> int:
        return int(guest.selfie_count)

    def delete_all(self, rows: Iterable[Guest]) -> None:
        for guest in rows:
            _erase(guest)


@transaction.atomic
def _erase(guest: Guest) -> None:
    for selfie in guest.selfies.all():
        selfie_flow.withdraw(selfie)
    guest.delete()


@admin.register(Selfie)
class SelfieAdmin(ReadOnly, CountedDeletion):
    goes_along = [(Match, "selfie"), (Archive, "selfie")]
    list_display = ["id", "album", "state", "code", "sure", "maybe", "scanned", "created_at", "expires_at"]
    list_filter = ["state", "code", "keep_me_posted", "created_at"]
    search_fields = ["id", "album__title", "guest__id"]
    list_select_related = ["album"]
    date_hierarchy = "created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Selfie]:
        tiers = {f"{tier}_count": Count("matches", filter=Q(matches__tier=tier)) for tier in Match.Tier.values}
        return super().get_queryset(request).annotate(**tiers)

    @admin.display(description=_("sure"), ordering="sure_count")
    def sure(self, selfie: Any) -> int:
        return int(selfie.sure_count)

    @admin.display(description=_("maybe"), ordering="maybe_count")
    def maybe(self, selfie: Any) -> int:
        return int(selfie.maybe_count)

    def delete_all(self, rows: Iterable[Selfie]) -> None:
        for selfie in rows:
            selfie_flow.withdraw(selfie)


@admin.register(Archive)
class ArchiveAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["id", "album", "holder", "size", "count", "bytes", "created_at"]
    list_filter = ["size", "created_at"]
    search_fields = ["id", "album__title", "user__email"]
    list_select_related = ["album", "user"]

    @admin.display(description=_("holder"))
    def holder(self, archive: Archive) -> str:
        return archive.user.email if archive.user else f"guest {archive.guest_id}"


@admin.register(Arrival, Erasure)
class ErasureAdmin(ReadOnly, admin.ModelAdmin):
    """Files to come and files to be deleted; empty but for moments. Deleting the row would leave them for ever."""

    list_display = ["__str__", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["token_key", "user", "name", "scopes", "is_bound", "created", "expiry", "last_used_at"]
    search_fields = ["user__email", "token_key"]
    list_filter = ["created"]
    list_select_related = ["user"]
    exclude = ["digest"]
