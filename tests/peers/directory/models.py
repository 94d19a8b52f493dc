"""The users and groups that django-scim2 serves."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Group(AbstractSCIMGroupMixin):
    """A group."""

    name = models.CharField(max_length=254, unique=True)


class User(AbstractSCIMUserMixin, AbstractUser):
    """A user, with Django's own columns."""

    scim_groups = models.ManyToManyField(Group, related_name="user_set")
