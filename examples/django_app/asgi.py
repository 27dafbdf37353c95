"""Django, a little of each: JSON, a body, a cookie, server-sent events, an error.

    srvctl run examples.django_app.asgi:application

Needs Django (`pip install django`).
"""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_app.settings")

application = get_asgi_application()
