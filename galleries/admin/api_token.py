from django.contrib import admin

from galleries.models import ApiToken

from .rows import ReadOnly, Rows


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, Rows):
    list_display = ["token_key", "user", "name", "scopes", "is_bound", "created", "expiry", "last_used_at"]
    search_fields = ["user__email", "token_key"]
    list_filter = ["created"]
    list_select_related = ["user"]
    exclude = ["digest"]
