"""The settings of the Django project."""

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["PEER_DATABASE_URL"])

SECRET_KEY = "development-only"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "directory"]
MIDDLEWARE = ["directory.middleware.bearer"]
ROOT_URLCONF = "directory.urls"
AUTH_USER_MODEL = "directory.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
# A refused call would log a stack trace.
LOGGING = {"version": 1, "loggers": {"django.request": {"level": "CRITICAL"}}}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.hostname,
        "PORT": _database.port,
        "USER": _database.username,
        "PASSWORD": _database.password,
        "NAME": _database.path.removeprefix("/"),
        # Connections stay open, and a call commits once. A create would commit twice otherwise.
        "CONN_MAX_AGE": None,
        "ATOMIC_REQUESTS": True,
    }
}
SCIM_SERVICE_PROVIDER = {
    "NETLOC": "127.0.0.1",
    "SCHEME": "http",
    "GROUP_MODEL": "directory.models.Group",
    "AUTHENTICATION_SCHEMES": [
        {"type": "oauthbearertoken", "name": "Bearer token", "description": "A static token"},
    ],
}
