"""django-scim2: the settings of gunicorn. One process for each core, with threads."""

import os

from peer import bind, control_socket_disable, describe, keepalive, timeout, worker_class  # noqa: F401

wsgi_app = "directory.wsgi"
workers = os.cpu_count()
threads = 16


def when_ready(server):
    """Describes the peer when its port is known and accepts connections."""
    describe(server, "django-scim2", "/scim/v2", "Postgres, one commit per call")
