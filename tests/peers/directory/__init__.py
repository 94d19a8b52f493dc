"""A minimal Django project that serves users with django-scim2, as its documentation describes."""
