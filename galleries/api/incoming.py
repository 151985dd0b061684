"""What DRF takes by name from the settings, before its views are there: the API's token and its JSON."""

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
    """A few kilobytes of brackets are nested deeper than Python goes."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("This JSON is nested too deeply.") from error
