"""scim2-server: the settings of gunicorn. One process, because the storage is memory of the process."""

from peer import bind, control_socket_disable, describe, keepalive, timeout, worker_class  # noqa: F401

wsgi_app = "in_memory"
workers = 1
# More threads do not help: the storage serves one request at a time.
threads = 4


def when_ready(server):
    """Describes the peer when its port is known and accepts connections."""
    describe(server, "scim2-server", "/v2", "in memory, nothing survives a restart")
