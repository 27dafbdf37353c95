"""Django with Channels: the site of `examples.django_app`, and a WebSocket beside it."""
