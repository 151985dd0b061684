"""What photographers and administrators did: who, what, when, to what. Only ever added to, which the database holds.

Triggers (migration 0003) refuse every UPDATE, and every DELETE of a row that is younger than KEPT_DAYS; so retention
needs no key, and nobody's slip or break-in by this program's own account empties the log. On SQLite a migration that
rebuilds the table would lose them: tests/test_deeds.py looks.
No names, no addresses, no secrets: ids and short words. A row outlives the user and the thing it is about, so there
are no constraints to them.
"""

from typing import Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from .album import Album
from .lease import from_now

# As in migration 0003.
KEPT_DAYS = 365


class Verb(models.TextChoices):
    ALBUM_MADE = "album.made", _("album made")
    ALBUM_CHANGED = "album.changed", _("album changed")
    ALBUM_HANDED_OVER = "album.handed_over", _("album handed over")
    ALBUM_DELETED = "album.deleted", _("album deleted")
    ALBUM_RESTORED = "album.restored", _("album restored")
    ALBUM_GONE = "album.gone", _("album deleted for good")
    ALBUM_SUSPENDED = "album.suspended", _("album suspended")
    ALBUM_RESUMED = "album.resumed", _("suspension of album lifted")
    FACE_SEARCH_ON = "face_search.on", _("face search switched on")
    FACE_SEARCH_OFF = "face_search.off", _("face search switched off")
    PEOPLE_ON = "people.on", _("people switched on")
    PEOPLE_OFF = "people.off", _("people switched off")
    LINK_MADE = "link.made", _("link made")
    LINK_CHANGED = "link.changed", _("link changed")
    LINK_REVOKED = "link.revoked", _("link deleted")
    PHOTOS_HIDDEN = "photos.hidden", _("photos hidden")
    PHOTOS_SHOWN = "photos.shown", _("photos shown again")
    PHOTOS_DELETED = "photos.deleted", _("photos deleted")
    PHOTOS_RETRIED = "photos.retried", _("photos tried again")
    PHOTOS_SET_ASIDE = "photos.set_aside", _("photos set aside")
    PHOTO_TAKEN_DOWN = "photo.taken_down", _("photo taken down everywhere")
    PHOTO_ALLOWED = "photo.allowed", _("photo allowed again")
    COLLABORATOR_ADDED = "collaborator.added", _("collaborator added")
    COLLABORATOR_CHANGED = "collaborator.changed", _("collaborator changed")
    COLLABORATOR_REMOVED = "collaborator.removed", _("collaborator removed")
    TOKEN_MADE = "token.made", _("API token made")
    TOKEN_CHANGED = "token.changed", _("API token changed")
    TOKEN_REVOKED = "token.revoked", _("API token revoked")
    WEBHOOK_MADE = "webhook.made", _("webhook made")
    WEBHOOK_CHANGED = "webhook.changed", _("webhook changed")
    WEBHOOK_DELETED = "webhook.deleted", _("webhook deleted")
    ACCOUNT_CLOSED = "account.closed", _("account ended")
    QUOTA_CHANGED = "quota.changed", _("quota changed")
    USER_SUSPENDED = "user.suspended", _("user suspended")
    USER_RESUMED = "user.resumed", _("suspension of user lifted")
    USER_INVITED = "user.invited", _("photographer invited")
    SITE_CHANGED = "site.changed", _("site settings changed")
    STAFF_SIGNED_IN = "staff.signed_in", _("staff signed in")
    LOG_EXPORTED = "log.exported", _("log exported")
    # Whatever else is written by hand on the administrator's desk.
    ROW_ADDED = "row.added", _("added in the administration")
    ROW_CHANGED = "row.changed", _("changed in the administration")
    ROW_DELETED = "row.deleted", _("deleted in the administration")


class DeedQuerySet(models.QuerySet["Deed"]):
    def too_old(self) -> Self:
        return self.filter(at__lt=from_now(-KEPT_DAYS * 24 * 3600))

    def about(self, text: str) -> Self:
        """Found by an id, a label, or a part of an e-mail address; each by its own index, or by the few users."""
        try:
            wanted = UUID(text.strip())
        except ValueError:
            label = text.strip().lower()
            # Of the users there are few; their rows are found by the index of the foreign key.
            who = get_user_model().objects.filter(email__icontains=label).values("pk")
            return self.filter(Q(user__in=who) | Q(network_label=label) | Q(thing=text.strip()))
        return self.filter(Q(thing=str(wanted)) | Q(album=wanted) | Q(token=wanted))


class Deed(models.Model):
    class Via(models.TextChoices):
        PAGE = "page", _("page")
        API = "api", _("API")
        ADMIN = "admin", _("administration")
        # Workers, upkeep and commands.
        SITE = "site", _("the site itself")

    at = models.DateTimeField(_("when"), db_default=Now(), editable=False)
    verb = models.CharField(_("what"), max_length=24, choices=Verb.choices)
    # Nobody: the site itself.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        verbose_name=_("who"),
    )
    via = models.CharField(_("way"), max_length=5, choices=Via.choices)
    # The API token that was used, by the id that pages call it by.
    token = models.UUIDField(_("API token"), null=True)
    # Tells one network from another, and of none which it is.
    network_label = models.CharField(_("network"), max_length=8, blank=True, default="")
    kind = models.CharField(_("kind"), max_length=24, blank=True, default="")
    thing = models.CharField(_("object"), max_length=40, blank=True, default="")
    album = models.ForeignKey(
        Album,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("album"),
    )
    facts = models.JSONField(_("facts"), default=dict)

    objects = DeedQuerySet.as_manager()

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["at"], name="deed_age"),
            models.Index(fields=["album", "-id"], name="deed_of_album"),
            models.Index(fields=["verb", "-id"], name="deed_of_verb"),
            models.Index(fields=["kind", "thing"], name="deed_of_thing"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.thing}".strip()
