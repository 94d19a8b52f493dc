"""Authentication by a bearer token, which django-scim2 leaves to the application."""

from types import SimpleNamespace

from peer import TOKEN


def bearer(get_response):
    """Sets the user of a request. django-scim2 answers 401 if the user is not authenticated."""

    def authenticate(request):
        known = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        request.user = SimpleNamespace(is_authenticated=known)
        return get_response(request)

    return authenticate
