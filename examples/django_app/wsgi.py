"""The same site through WSGI, in threads.

    srvctl run examples.django_app.wsgi:application

Needs Django, and srvctl with what translates WSGI (`pip install django 'srvctl[wsgi]'`).
"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_app.settings")

application = get_wsgi_application()
