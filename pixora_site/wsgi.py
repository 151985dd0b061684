import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixora_site.settings")

application = get_wsgi_application()
# With all pages, which Django else loads when the first guest comes: here they are loaded once for all workers.
get_resolver().url_patterns  # noqa: B018
