"""What Django has to know; DJANGO_SETTINGS_MODULE names this module."""

from __future__ import annotations

SECRET_KEY = "of this example only"  # a site reads its own from the environment
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "examples.django_app.urls"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
INSTALLED_APPS: list[str] = []
DATABASES: dict[str, dict[str, str]] = {}
USE_TZ = True
LOGGING = {  # without this, errors are mailed to ADMINS and nothing else
    "version": 1,
    "disable_existing_loggers": False,  # those of libraries
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
