"""An OpenID provider for the tests of signing in: Django OAuth Toolkit, with accounts in a database of its own.

    provider.py FOLDER PORT REDIRECT_URI ACCOUNTS

ACCOUNTS is JSON: for each user name the claim `rollcall`. Every password is `correct horse`. The client is
`rollcall` with the secret `the secret of rollcall`. The program prints a line when it is ready.
"""

import json
import os
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from socketserver import ThreadingMixIn

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

FOLDER, PORT, REDIRECT, ACCOUNTS = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
# Only clients on this machine use plain http.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
pem = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()

LOGIN = "<!doctype html><html lang=en><title>Provider</title><form method=post>{% csrf_token %}{{ form.as_p }}<button id=submit>Log in</button></form>"
settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "provider.sqlite"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", {"registration/login.html": LOGIN})]},
        }
    ],
    LOGIN_URL="/login/",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": pem,
        "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{PORT}/o",
        "PKCE_REQUIRED": True,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http"],
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        "SCOPES": {"openid": "sign in", "profile": "name", "email": "e-mail"},
    },
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402


class Validator(OAuth2Validator):
    """Returns standard claims and the roles of an account. For `late`, the ID token has no roles; user info has them."""

    oidc_claim_scope = None

    def get_additional_claims(self, request):
        claims = {"name": request.user.get_full_name(), "preferred_username": request.user.username}
        return claims if request.user.username.startswith("late") else claims | self.roles(request)

    def get_userinfo_claims(self, request):
        return super().get_userinfo_claims(request) | self.roles(request)

    @staticmethod
    def roles(request):
        return {"rollcall": ACCOUNTS[request.user.username]}


urlpatterns = [path("login/", LoginView.as_view()), path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


call_command("migrate", verbosity=0)
for name in ACCOUNTS:
    get_user_model().objects.create_user(name, password="correct horse", first_name=name.capitalize(), last_name="Hopper")
Application.objects.create(
    client_id="rollcall",
    client_secret="the secret of rollcall",
    client_type=Application.CLIENT_CONFIDENTIAL,
    authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
    redirect_uris=REDIRECT,
    algorithm=Application.RS256_ALGORITHM,
    skip_authorization=True,
)
server = make_server("127.0.0.1", PORT, get_wsgi_application(), server_class=Server, handler_class=Quiet)
print("ready", flush=True)
server.serve_forever()
