from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from galleries.flows import album as album_flow
from galleries.flows.quota import Quota
from galleries.models import Album, ApiToken, Collaborator, Face, Guest, Link, Photo, Selfie, User

from .guest import erase
from .rows import CountedDeletion


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
                erase(guest)
            user.delete()

    @admin.display(description=_("photos and bytes kept"))
    def kept(self, user: User) -> str:
        quota = Quota.of(user.pk)
        return f"{quota.photos} / {quota.photo_limit or '-'}, {quota.bytes} / {quota.byte_limit or '-'}"

    @admin.display(description=_("albums"), ordering="albums_made")
    def album_count(self, user: Any) -> int:
        return int(user.albums_made)
