"""Untrusted JSON -> typed values, and rows -> JSON. All addresses in answers are absolute."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from galleries import access, media
from galleries.flows import photo as photo_flow
from galleries.flows import selfie as selfie_flow
from galleries.models import Album, Archive, Collaborator, LegalBasis, Link, Match, Photo, Selfie
from galleries.models.mail import LONGEST_ADDRESS


def address(context: Mapping[str, Any], name: str, **kwargs: Any) -> str:
    return str(context["request"].build_absolute_uri(reverse(name, kwargs=kwargs)))


class LegalBasisSerializer(serializers.Serializer[Any]):
    basis = serializers.ChoiceField(LegalBasis.Basis.choices)
    attested = serializers.BooleanField()


class AlbumSerializer(serializers.ModelSerializer[Album]):
    legal_basis = LegalBasisSerializer(required=False, write_only=True)
    logo_url = serializers.SerializerMethodField()
    photos_url = serializers.SerializerMethodField()
    progress_url = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField(help_text="What you are in this album: owner, editor or viewer.")
    cover = serializers.UUIDField(
        source="cover_id", required=False, allow_null=True, help_text="A photo that is ready; null: the first one."
    )

    class Meta:
        model = Album
        fields = [
            "id", "role", "title", "event_date", "face_search", "legal_basis", "brand_name", "welcome", "accent",
            "link_preview", "persons_a_guest", "live_camera_only", "kept_until", "cover", "logo_url", "created_at",
            "photos_url", "progress_url",
        ]  # fmt: skip

    def validate_cover(self, photo_id: Any) -> Any:
        if photo_id and self.instance is None:
            raise serializers.ValidationError("A new album has no photos yet.")
        return photo_id

    def get_role(self, album: Album) -> str | None:
        return access.role_in(self.context["viewer"], album)

    def get_logo_url(self, album: Album) -> str | None:
        return address(self.context, "api:album-logo", album_id=album.pk) if album.logo_key else None

    def get_photos_url(self, album: Album) -> str:
        return address(self.context, "api:album-photos", album_id=album.pk)

    def get_progress_url(self, album: Album) -> str:
        return address(self.context, "api:album-progress", album_id=album.pk)


class LogoSerializer(serializers.Serializer[Any]):
    logo = serializers.FileField(allow_empty_file=True)


class PhotoSerializer(serializers.ModelSerializer[Photo]):
    thumb = serializers.SerializerMethodField()
    preview = serializers.SerializerMethodField()
    original = serializers.SerializerMethodField()
    taken_at = serializers.SerializerMethodField()

    class Meta:
        model = Photo
        fields = [
            "id", "name", "folder", "size", "sha256", "content_type", "state", "code", "detail", "hidden", "width",
            "height", "taken_at", "received_at", "face_count", "colour", "thumb", "preview", "original",
        ]  # fmt: skip
        read_only_fields = [name for name in fields if name != "hidden"]

    def get_thumb(self, photo: Photo) -> str | None:
        return self._rendition(photo, "thumb")

    def get_preview(self, photo: Photo) -> str | None:
        return self._rendition(photo, "preview")

    def get_original(self, photo: Photo) -> str | None:
        return address(self.context, "api:photo-original", photo_id=photo.pk) if photo.original_key else None

    def get_taken_at(self, photo: Photo) -> str | None:
        return camera_time(photo)

    def _rendition(self, photo: Photo, variant: str) -> str | None:
        ready = photo.state == Photo.State.READY
        return address(self.context, f"api:photo-{variant}", photo_id=photo.pk) if ready else None


def camera_time(photo: Photo) -> str | None:
    """The camera's clock, without an offset: nobody knows its time zone."""
    return photo.taken_at.replace(tzinfo=None).isoformat() if photo.taken_at else None


class PhotoCheckSerializer(serializers.Serializer[Any]):
    @extend_schema_serializer(component_name="CheckedFile")
    class File(serializers.Serializer[Any]):
        name = serializers.CharField(max_length=1000)
        size = serializers.IntegerField(min_value=0)
        sha256 = serializers.RegexField(r"^[0-9a-f]{64}$")
        path = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")

    files = serializers.ListField(child=File(), max_length=1000)


class SameNameSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    sha256 = serializers.CharField()
    id = serializers.UUIDField()


class OverQuotaSerializer(serializers.Serializer[Any]):
    sha256 = serializers.CharField()
    code = serializers.ChoiceField(["quota_photos", "quota_bytes"])
    detail = serializers.CharField()


class PhotoCheckAnswerSerializer(serializers.Serializer[Any]):
    missing = serializers.ListField(child=serializers.CharField())
    duplicate = serializers.ListField(child=serializers.CharField())
    same_name = SameNameSerializer(
        many=True,
        help_text="Missing files whose name and folder a photo here has, with other bytes; `id` is that photo's. Sent "
        "with `replaces`, they take its place.",
    )
    over_quota = OverQuotaSerializer(
        many=True,
        help_text="Missing files that there is no room for, if the others are sent first; sent nevertheless, they are "
        "rejected by the same code.",
    )


class AcceptedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="photo.pk")
    name = serializers.CharField()
    sha256 = serializers.CharField(source="photo.sha256")
    state = serializers.ChoiceField(Photo.State.choices, source="photo.state")


class DuplicateSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="photo.pk")
    name = serializers.CharField()


class RejectedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    code = serializers.CharField(source="photo.code")
    detail = serializers.CharField(source="photo.reason")


class ReceptionSerializer(serializers.Serializer[Any]):
    """What became of the files of one upload request, each under the name that it was sent by."""

    accepted = AcceptedSerializer(many=True)
    duplicates = DuplicateSerializer(many=True)
    rejected = RejectedSerializer(many=True)

    def to_representation(self, receptions: list[photo_flow.Reception]) -> dict[str, Any]:
        def those(outcome: str) -> list[photo_flow.Reception]:
            return [each for each in receptions if each.outcome == outcome]

        return {
            "accepted": AcceptedSerializer(those("accepted"), many=True).data,
            "duplicates": DuplicateSerializer(those("duplicate"), many=True).data,
            "rejected": RejectedSerializer(those("rejected"), many=True).data,
        }


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Collaborator.Role.choices)


class CollaboratorSerializer(RoleSerializer):
    id = serializers.UUIDField(read_only=True)
    email = serializers.EmailField(source="user.email")
    created_at = serializers.DateTimeField(read_only=True)


class RetrySerializer(serializers.Serializer[Any]):
    retried = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer[Any]):
    received = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    uploaded = serializers.IntegerField()
    processing = serializers.IntegerField()
    ready = serializers.IntegerField()
    rejected = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    faces = serializers.IntegerField()


class LinkSerializer(serializers.ModelSerializer[Link]):
    password = serializers.CharField(
        write_only=True, required=False, allow_blank=True, trim_whitespace=False, max_length=128
    )
    max_uses = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1_000_000)
    token = serializers.CharField(read_only=True)
    url = serializers.SerializerMethodField()
    qr_svg_url = serializers.SerializerMethodField()
    needs_password = serializers.BooleanField(read_only=True)

    class Meta:
        model = Link
        fields = [
            "id", "token", "url", "qr_svg_url", "can_browse", "can_download", "password", "needs_password",
            "expires_at", "max_uses", "uses", "opened_count", "zip_count", "original_count", "enabled", "created_at",
        ]  # fmt: skip
        read_only_fields = ["id", "uses", "opened_count", "zip_count", "original_count", "created_at"]

    def get_url(self, link: Link) -> str:
        return address(self.context, "guest-link", token=link.token)

    def get_qr_svg_url(self, link: Link) -> str:
        return address(self.context, "api:link-qr", link_id=link.pk)

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This lies in the past.")
        return value


class SharedAlbumSerializer(serializers.Serializer[Any]):
    """What whoever holds the link may know of the album before they are let in."""

    title = serializers.CharField()
    event_date = serializers.DateField(allow_null=True)
    photo_count = serializers.IntegerField(allow_null=True)
    face_search = serializers.BooleanField()
    live_camera_only = serializers.BooleanField(
        help_text="Selfies are taken on the page; sent by the API they get 403."
    )
    can_browse = serializers.BooleanField()
    can_download = serializers.BooleanField()
    needs_password = serializers.BooleanField()
    brand_name = serializers.CharField()
    welcome = serializers.CharField()
    accent = serializers.CharField(help_text="A colour such as #a53a1d, or empty.")
    logo_url = serializers.URLField(allow_null=True)

    def to_representation(self, link: Link) -> dict[str, Any]:
        album = link.album
        return {
            "title": album.title,
            "event_date": album.event_date,
            "photo_count": None if link.needs_password else album.photos.shown().count(),
            "face_search": album.face_search,
            "live_camera_only": album.live_camera_only,
            "can_browse": link.can_browse,
            "can_download": link.can_download,
            "needs_password": link.needs_password,
            "brand_name": album.brand_name,
            "welcome": album.welcome,
            "accent": album.accent,
            "logo_url": address(self.context, "guest-logo", token=link.token) if album.logo_key else None,
        }


class UnlockSerializer(serializers.Serializer[Any]):
    password = serializers.CharField(allow_blank=True, default="", max_length=128, trim_whitespace=False)


class UnlockAnswerSerializer(serializers.Serializer[Any]):
    guest_key = serializers.CharField(required=False)


class GuestPhotoSerializer(serializers.Serializer[Any]):
    """A photo as a guest sees it. `original` is null where only the preview may be had."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    thumb = serializers.URLField()
    preview = serializers.URLField()
    original = serializers.URLField(allow_null=True)
    taken_at = serializers.CharField(allow_null=True)
    width = serializers.IntegerField()
    height = serializers.IntegerField()

    def to_representation(self, photo: Photo) -> dict[str, Any]:
        may = photo.pk in self.context["downloadable"]
        return {
            "id": photo.pk,
            "name": photo.name,
            "thumb": address(self.context, "api:photo-thumb", photo_id=photo.pk),
            "preview": address(self.context, "api:photo-preview", photo_id=photo.pk),
            "original": address(self.context, "api:photo-original", photo_id=photo.pk) if may else None,
            "taken_at": camera_time(photo),
            "width": photo.width,
            "height": photo.height,
        }


class SelfieUploadSerializer(serializers.Serializer[Any]):
    selfie = serializers.FileField(allow_empty_file=True)
    consent = serializers.BooleanField(default=False)
    keep_me_posted = serializers.BooleanField(default=False)
    email = serializers.EmailField(
        max_length=LONGEST_ADDRESS,
        required=False,
        allow_blank=True,
        help_text="With keep_me_posted: is told of later photos, once it has agreed.",
    )


class SelfieAnswerSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.URLField()
    guest_key = serializers.CharField(required=False)


class FoundPhotoSerializer(GuestPhotoSerializer):
    tier = serializers.ChoiceField(Match.Tier.choices)

    def to_representation(self, match: Match) -> dict[str, Any]:  # type: ignore[override]
        return super().to_representation(match.photo) | {"tier": match.shown_tier}


class SelfieSerializer(serializers.Serializer[Selfie]):
    """The state of a search and a page of its photos: sure ones first, then the maybes."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(Selfie.State.choices)
    photos = FoundPhotoSerializer(many=True)
    scanned = serializers.IntegerField()
    total = serializers.IntegerField()
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    next = serializers.URLField(required=False)

    def to_representation(self, selfie: Selfie) -> dict[str, Any]:
        scanned, total = selfie_flow.progress(selfie)
        body: dict[str, Any] = {
            "id": selfie.pk,
            "state": selfie.state_now,
            "photos": FoundPhotoSerializer(self.context["page"], many=True, context=self.context).data,
            "scanned": scanned,
            "total": total,
        }
        if selfie.code:
            body |= {"code": selfie.code, "detail": selfie_flow.WORDS[selfie.code]}
        if self.context["next"]:
            body["next"] = self.context["next"]
        return body


class FeedbackSerializer(serializers.Serializer[Any]):
    photo = serializers.UUIDField()
    verdict = serializers.ChoiceField(
        Match.Verdict.choices, allow_blank=True, help_text="Empty: an earlier one is taken back."
    )


class FeedbackAnswerSerializer(FeedbackSerializer):
    tier = serializers.ChoiceField(Match.Tier.choices)


@extend_schema_serializer(component_name="NewArchive")
class ArchiveRequestSerializer(serializers.Serializer[Any]):
    photos = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=100_000)
    size = serializers.ChoiceField(Archive.Size.choices, default=Archive.Size.ORIGINAL)


class ArchiveSerializer(serializers.ModelSerializer[Archive]):
    url = serializers.SerializerMethodField()

    class Meta:
        model = Archive
        fields = ["id", "url", "bytes", "count", "size"]

    def get_url(self, archive: Archive) -> str:
        return media.archive_address(self.context["request"], archive)
