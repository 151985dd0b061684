from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from galleries.errors import Refusal
from galleries.flows import account as account_flow
from galleries.flows import album as album_flow
from galleries.flows import deed, suspension
from galleries.flows.quota import Quota
from galleries.models import Album, ApiToken, Collaborator, Face, Guest, Link, Photo, Selfie, User
from galleries.models.deed import Verb

from .rows import CountedDeletion, ask_first

_LIMITS = {"photo_limit", "byte_limit", "album_limit", "search_limit"}
_ADMINISTRATORS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


def _is_below(request: HttpRequest, user: User | None) -> bool:
    """Nobody but an administrator touches the account of one, or of other staff."""
    return user is None or request.user.is_superuser or not (user.is_superuser or user.is_staff)


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
        (_("Quota"), {"fields": ["photo_limit", "byte_limit", "album_limit", "search_limit", "kept"]}),
        (_("Permissions"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    readonly_fields = ["kept"]
    add_fieldsets = [(None, {"fields": ["email", "usable_password", "password1", "password2"]})]

    actions = ["suspend", "resume"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Who may do what is an administrator's to say, or whoever changes users could make themselves one."""
        own = super().get_readonly_fields(request, obj)
        if obj and obj.closed_at:
            # Its owner has ended it, and it is being erased.
            own = (*own, "is_active")
        return own if request.user.is_superuser else (*own, *_ADMINISTRATORS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_below(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_below(request, obj)

    @admin.action(description=_("Suspend at once"), permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponseBase | None:
        title = _("Suspend these users?")
        text = _("They are signed out, and their tokens and links stop at the next request. It can be lifted again.")
        if asked := ask_first(request, queryset, action="suspend", title=title, text=text):
            return asked
        self._each(request, queryset, suspension.suspend_user)
        return None

    @admin.action(description=_("Lift the suspension"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._each(request, queryset, suspension.resume_user)

    def _each(self, request: HttpRequest, users: QuerySet[User], do: Callable[..., None]) -> None:
        for user in users:
            try:
                do(user, by=request.user)
            except Refusal as refusal:
                messages.warning(request, f"{user}: {refusal.detail}")
            else:
                messages.success(request, _("%(user)s: done.") % {"user": user})

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if changed := sorted(set(form.changed_data) & _LIMITS):
            deed.record(Verb.QUOTA_CHANGED, obj, **{name: getattr(obj, name) for name in changed})
        if change and "is_active" in form.changed_data:
            deed.record(Verb.USER_RESUMED if obj.is_active else Verb.USER_SUSPENDED, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self.delete_all([user for user in queryset if _is_below(request, user)])

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(albums_made=Count("albums"))

    @transaction.atomic
    def delete_all(self, rows: Iterable[User]) -> None:
        for user in rows:
            # All of them before what each of them gives back to the quota.
            for album in user.albums.locked().order_by("pk"):
                album_flow.delete_for_good(album)
            account_flow.erase(user)

    @admin.display(description=_("photos and bytes kept"))
    def kept(self, user: User) -> str:
        quota = Quota.of(user.pk)
        return f"{quota.photos} / {quota.photo_limit or '-'}, {quota.bytes} / {quota.byte_limit or '-'}"

    @admin.display(description=_("albums"), ordering="albums_made")
    def album_count(self, user: Any) -> int:
        return int(user.albums_made)
