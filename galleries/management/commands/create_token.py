from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from galleries.models import ApiToken, User
from galleries.models.account import SCOPES


class Command(BaseCommand):
    help = "Make an API token for a user and print it, once, as the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--create", action="store_true", help="make the user if there is none (without a password)")
        parser.add_argument("--scopes", default=",".join(SCOPES), help=f"some of {','.join(SCOPES)} (default: all)")

    def handle(self, *args: Any, email: str, create: bool, scopes: str, **options: Any) -> None:
        wanted = [scope for scope in SCOPES if scope in scopes.split(",")]
        if set(scopes.split(",")) - set(SCOPES):
            raise CommandError(f"--scopes takes some of {', '.join(SCOPES)}, with commas between.")
        user = User.objects.filter(email__iexact=email).first() or self._create(email, create)
        _, token = ApiToken.objects.create(user=user, scopes=" ".join(wanted))
        self.stdout.write(f"Token for {user.email} ({', '.join(wanted)}); it is shown this once:")
        self.stdout.write(token)

    def _create(self, email: str, create: bool) -> User:
        if not create:
            raise CommandError(f"There is no user {email}. Add --create to make one.")
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email} is no e-mail address.") from error
        return User.objects.create_user(email)
