"""scim2-server with its own in-memory storage: the application that its command serves, for gunicorn."""

from peer import TOKEN
from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import (
    load_default_resource_types,
    load_default_schemas,
    load_default_service_provider_config,
)

_provider = ScimProvider.from_discovery(
    load_default_schemas().values(),
    load_default_resource_types().values(),
    config=load_default_service_provider_config(),
)

application = BearerTokenApplication(InMemoryStorage(), _provider, ScimService(_provider, secret=TOKEN), [TOKEN])
