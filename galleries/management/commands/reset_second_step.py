from argparse import ArgumentParser
from typing import Any

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError

from galleries.models import User


class Command(BaseCommand):
    help = "Take the second step of signing in from a user who has lost phone and recovery codes. Be sure who asks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise CommandError(f"There is no user {email}.")
        count, _ = Authenticator.objects.filter(user=user).delete()
        said = "signs in with the password alone now" if count else "had no second step"
        self.stdout.write(f"{user.email} {said}.")
