"""What DRF takes by name from the settings, before its views are there: the API's token and its JSON."""

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.parsers import JSONParser

# Enough to see which are no longer needed, at one write an hour.
_USED_PACE = timedelta(hours=1)


class ApiTokenAuthentication(TokenAuthentication):
    """Knox decodes whatever bytes come as a token; its own are letters and digits."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum():
            raise AuthenticationFailed("Invalid token.")
        user, found = super().authenticate_credentials(token)
        if found.last_used_at is None or found.last_used_at < timezone.now() - _USED_PACE:
            type(found).objects.filter(pk=found.pk).update(last_used_at=timezone.now())
        return user, found


class JsonParser(JSONParser):
    """A few kilobytes of brackets are nested deeper than Python goes; and half of a pair of surrogates, which JSON can
    say, could be neither kept nor repeated in an answer.
    """

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            data = super().parse(*args, **kwargs)
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ParseError("This JSON holds half a character.") from error
        except RecursionError as error:
            raise ParseError("This JSON is nested too deeply.") from error
        return data
