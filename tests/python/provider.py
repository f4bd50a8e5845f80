"""An identity provider, npm's `oidc-provider`, and an agent that gets its token there by itself."""

import contextlib
import pathlib
import subprocess
import urllib.parse

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

from checks import LIMIT
from person import AtProvider

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "identity" / "provider.mjs"

# Where the provider sends an agent's browser back to. Nobody listens there: the address is all that the agent wants.
CALLBACK = "http://127.0.0.1/callback"


@contextlib.contextmanager
def provider(modules, surface):
    """A provider at which the pages at this address are registered: its issuer."""
    command = ["node", str(SCRIPT), modules, surface]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip().removeprefix("ready ")
    finally:
        # It ends with its input.
        process.communicate(timeout=LIMIT)


class Storage:
    """What an agent knows: its own registration, and the token that it got."""

    def __init__(self, issuer):
        self.issuer, self.token = issuer, None

    async def get_tokens(self):
        return self.token

    async def set_tokens(self, token):
        self.token = token

    async def get_client_info(self):
        return OAuthClientInformationFull(
            client_id="agent", redirect_uris=[CALLBACK], token_endpoint_auth_method="none", issuer=self.issuer
        )

    async def set_client_info(self, client):
        raise AssertionError("the agent is registered already")


def agent(url, issuer, subject):
    """An HTTP client that finds out from the server's own answer where to get a token, and gets one for this person, who logs in:
    all of that is the SDK's work. And what it has learned."""
    person, storage = AtProvider(subject, CALLBACK), Storage(issuer)

    async def open_browser(address):
        person.pass_through(person.load(address))

    async def come_back():
        answer = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(person.redirects.left).query))
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer.get("iss"))

    # Without refresh tokens: the tests don't last that long.
    metadata = OAuthClientMetadata(
        redirect_uris=[CALLBACK], grant_types=["authorization_code"], token_endpoint_auth_method="none"
    )
    authentication = OAuthClientProvider(url, metadata, storage, open_browser, come_back)
    return httpx2.AsyncClient(auth=authentication, trust_env=False, timeout=LIMIT), storage
