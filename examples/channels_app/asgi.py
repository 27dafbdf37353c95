"""Django with Channels: requests go to Django, WebSockets to consumers.

    srvctl run examples.channels_app.asgi:application

Needs Channels, which brings Django (`pip install channels`).
"""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_app.settings")

django = get_asgi_application()  # before anything that imports models

from examples.channels_app.consumers import Echo  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django,
        "websocket": AllowedHostsOriginValidator(URLRouter([path("ws", Echo.as_asgi())])),
    }
)
