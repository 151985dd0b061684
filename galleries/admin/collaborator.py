from django.contrib import admin

from galleries.models import Collaborator

from .rows import ReadOnly


@admin.register(Collaborator)
class CollaboratorAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["album", "user", "role", "created_at"]
    list_filter = ["role"]
    search_fields = ["album__title", "user__email"]
    list_select_related = ["album", "user"]
