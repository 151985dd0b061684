"""What DRF takes by name from the settings, before its views are there: the API's token and its JSON."""

import json
from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.parsers import JSONParser


class ApiTokenAuthentication(TokenAuthentication):
    """Knox decodes whatever bytes come as a token; its own are letters and digits."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if not token.isalnum():
            raise AuthenticationFailed("Invalid token.")
        return super().authenticate_credentials(token)


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
