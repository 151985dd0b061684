"""What an administrator may change of the whole site while it runs. One row, or none where nothing was changed.

What the environment says wins: whoever runs the machine has the last word, and the desk shows it read-only beside.
"""

import logging
import time
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import DatabaseError, models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .album import A_COLOUR

logger = logging.getLogger(__name__)

_ONLY = 1
# Other processes hear of a change after this long; a row is asked for once in it, not by every page.
KEPT_SECONDS = 3.0
_WEB_ADDRESS = [URLValidator(schemes=["http", "https"])]
_A_LINE = RegexValidator(r"\A[^\x00-\x1f\x7f]*\Z", _("One line, please."))


class SiteSettings(models.Model):
    class SignUp(models.TextChoices):
        OPEN = "open", _("open to everybody")
        INVITED = "invited", _("by invitation only")
        CLOSED = "closed", _("closed")

    # The numbers and the setting of the environment that each stands for. Empty: as that setting is by default.
    LIMITS: ClassVar[dict[str, str]] = {
        "photo_limit": "PIXORA_QUOTA_PHOTOS",
        "byte_limit": "PIXORA_QUOTA_BYTES",
        "album_limit": "PIXORA_QUOTA_ALBUMS",
        "search_limit": "PIXORA_QUOTA_SEARCHES",
        "guest_searches": "PIXORA_SEARCHES_A_DAY",
        "guests_an_hour": "PIXORA_GUESTS_AN_HOUR",
        "selfie_days": "PIXORA_SELFIE_DAYS",
    }

    id = models.PositiveSmallIntegerField(primary_key=True, default=_ONLY, editable=False)
    sign_up = models.CharField(_("sign-up"), max_length=7, choices=SignUp.choices, default=SignUp.OPEN)
    album_days = models.PositiveIntegerField(
        _("days until a new album is deleted"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text=_(
            "For albums made from now on; its owner may say another day. Empty: kept until somebody deletes it."
        ),
    )
    photo_limit = models.PositiveBigIntegerField(_("photos of a photographer"), null=True, blank=True)
    byte_limit = models.PositiveBigIntegerField(_("bytes of a photographer"), null=True, blank=True)
    album_limit = models.PositiveBigIntegerField(_("albums of a photographer"), null=True, blank=True)
    search_limit = models.PositiveBigIntegerField(_("searches a day in a photographer's albums"), null=True, blank=True)
    guest_searches = models.PositiveIntegerField(
        _("searches of a guest a day"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    guests_an_hour = models.PositiveIntegerField(
        _("new guests of one network, an hour and link"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    selfie_days = models.PositiveIntegerField(
        _("days for which a guest keeps a search"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
    )
    brand_name = models.CharField(
        _("name of the site"),
        max_length=40,
        blank=True,
        default="",
        validators=[_A_LINE],
        help_text=_("Empty: Pixora."),
    )
    accent = models.CharField(_("accent colour"), max_length=7, blank=True, default="", validators=[A_COLOUR])
    contact = models.EmailField(_("contact"), blank=True, default="")
    imprint_url = models.CharField(_("imprint"), max_length=300, blank=True, default="", validators=_WEB_ADDRESS)
    privacy_url = models.CharField(_("privacy notice"), max_length=300, blank=True, default="", validators=_WEB_ADDRESS)

    class Meta:
        verbose_name = _("site settings")
        verbose_name_plural = _("site settings")
        constraints = [
            models.CheckConstraint(condition=Q(id=_ONLY), name="site_settings_once"),
            models.CheckConstraint(
                condition=Q(sign_up__in=["open", "invited", "closed"]), name="site_sign_up_is_known"
            ),
            models.CheckConstraint(
                condition=Q(accent="") | Q(accent__regex=r"^#[0-9a-fA-F]{6}$"), name="site_accent_is_a_colour"
            ),
            models.CheckConstraint(
                condition=Q(album_days__isnull=True) | Q(album_days__range=(1, 3650)), name="site_album_days"
            ),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Seen at once by the process that saves it."""
        super().save(*args, **kwargs)
        forget()

    @property
    def name(self) -> str:
        return self.brand_name or "Pixora"

    def limit(self, name: str) -> int:
        """One of LIMITS: of the environment where it says so, else of this row, else the default."""
        setting, own = self.LIMITS[name], getattr(self, name)
        return int(getattr(settings, setting) if own is None or self.is_fixed(name) else own)

    @classmethod
    def is_fixed(cls, name: str) -> bool:
        """Whether the environment says it."""
        return cls.LIMITS.get(name) in settings.PIXORA_GIVEN


_known: tuple[float, SiteSettings] | None = None


def current() -> SiteSettings:
    """At most KEPT_SECONDS old; while the database is away, as it last was."""
    global _known
    if _known is None or time.monotonic() - _known[0] > KEPT_SECONDS:
        last = _known[1] if _known else SiteSettings()
        try:
            last = SiteSettings.objects.filter(pk=_ONLY).first() or SiteSettings()
        except DatabaseError:
            # Not asked again by each of the pages that say so.
            logger.warning("The site's settings cannot be read.")
        _known = time.monotonic(), last
    return _known[1]


def limit(name: str) -> int:
    """One of SiteSettings.LIMITS, as it is now."""
    return current().limit(name)


def forget() -> None:
    global _known
    _known = None
