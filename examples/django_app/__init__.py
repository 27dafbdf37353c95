"""A small Django site: `srvctl run examples.django_app.asgi:application`, or `...wsgi:application`."""
