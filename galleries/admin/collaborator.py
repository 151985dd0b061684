from django.contrib import admin

from galleries.models import Collaborator

from .rows import ReadOnly, Rows


@admin.register(Collaborator)
class CollaboratorAdmin(ReadOnly, Rows):
    list_display = ["album", "user", "role", "created_at"]
    list_filter = ["role"]
    search_fields = ["album__title", "user__email"]
    list_select_related = ["album", "user"]
