from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.utils import timezone

from galleries.flows import api_token
from galleries.models import Album, User
from galleries.models.account import SCOPES


class Command(BaseCommand):
    help = "Make an API token for a user and print it, once, as the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--create", action="store_true", help="make the user if there is none (without a password)")
        parser.add_argument("--scopes", default=",".join(SCOPES), help=f"some of {','.join(SCOPES)} (default: all)")

        parser.add_argument("--days", type=int, help="it ends after so many days (default: never)")
        parser.add_argument(
            "--album", type=UUID, action="append", default=[], help="for this album only; may be repeated"
        )

    def handle(self, *args: Any, email: str, create: bool, scopes: str, **options: Any) -> None:
        wanted = [scope for scope in SCOPES if scope in scopes.split(",")]
        if set(scopes.split(",")) - set(SCOPES):
            raise CommandError(f"--scopes takes some of {', '.join(SCOPES)}, with commas between.")
        user = User.objects.filter(email__iexact=email).first() or self._create(email, create)
        expires_at = _after(options["days"])
        albums = self._albums(user, options["album"])
        _, token = api_token.make(user, scopes=wanted, albums=albums, expires_at=expires_at)
        self.stdout.write(f"Token for {user.email} ({', '.join(wanted)}); it is shown this once:")
        self.stdout.write(token)

    def _albums(self, user: User, ids: list[UUID]) -> list[Album]:
        """Any that is not theirs stops it: a token with less than was asked for might be one for all."""
        albums = list(Album.objects.filter(owner=user, deleted_at__isnull=True, pk__in=ids))
        if missing := set(ids) - {album.pk for album in albums}:
            raise CommandError(f"{user.email} has no album {', '.join(map(str, missing))}.")
        return albums

    def _create(self, email: str, create: bool) -> User:
        if not create:
            raise CommandError(f"There is no user {email}. Add --create to make one.")
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email} is no e-mail address.") from error
        return User.objects.create_user(email)


def _after(days: int | None) -> datetime | None:
    if days is not None and not 0 < days <= 36_500:
        raise CommandError("--days takes a whole number from 1 to 36500.")
    return timezone.now() + timedelta(days=days) if days else None
