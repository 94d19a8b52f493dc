"""The settings of gunicorn that both Python peers share, and how a peer describes itself to the benchmark."""

import json
import os
from importlib.metadata import version

# The token of the Python peers.
TOKEN = "development-only"

bind = "127.0.0.1:0"
worker_class = "gthread"
keepalive = 75
timeout = 120
# The socket would be in the home directory.
control_socket_disable = True


def describe(server, package: str, path: str, durability: str) -> None:
    """Writes the description of a peer that is ready. The rename makes it appear complete."""
    file = os.environ["PEER_FILE"]
    port = server.LISTENERS[0].sock.getsockname()[1]
    description = {
        "name": f"{package} {version(package)}",
        "url": f"http://127.0.0.1:{port}{path}",
        "token": TOKEN,
        "durability": durability,
    }
    with open(f"{file}.new", "w") as out:
        json.dump(description, out)
    os.rename(f"{file}.new", file)
