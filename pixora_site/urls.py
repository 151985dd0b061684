from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("galleries.api.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/two-steps/", include("allauth.mfa.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("", include("galleries.urls")),
]
handler500 = "galleries.api.problems.server_error"
