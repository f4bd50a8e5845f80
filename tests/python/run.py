#!/usr/bin/env python3
"""Drives the examples through PyPI's `mcp`, a client that shares no code with them, each as its README shows it, and as
docs/clients.md has other clients start it.

The agent's part goes over 2025-11-25 and 2026-07-28, on stdio and on streamable HTTP; the person's part goes over the
pages, as a browser would send it. What was done is counted in the files themselves. Each `ok` line is a check.
"""

import asyncio
import contextlib
import functools
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import traceback
import urllib.error
import urllib.request

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

import clients
import readme
from checks import LIMIT, check, results, skip
from drive import drive, drive_surface, drive_typed
from person import PASSWORD, PERSON, AtProvider, WithPassword
from provider import agent, provider

# Each example, and the README that shows how it is run.
READMES = {
    "quickstart": "README.md",
    "typed-mutation": "examples/typed-mutation/README.md",
    "http-oidc": "examples/http-oidc/README.md",
    "own-store": "examples/own-store/README.md",
    "own-surface": "examples/own-surface/README.md",
}

# Another program that takes the quickstart's arguments and is to be driven as it is.
OTHER = os.environ.get("QUICKSTART_PROGRAM")


@functools.cache
def programs():
    """The examples' programs, built as their users build them."""
    build = ["cargo", "build", "--locked", "--message-format", "json-render-diagnostics"]
    build += [argument for package in READMES for argument in ("--package", package)]
    output = subprocess.run(build, cwd=readme.ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout
    messages = map(json.loads, output.splitlines())
    return {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}


@contextlib.contextmanager
def installation(package, placeholders, own_port=True):
    """What an example's README says, in a directory of its own: the command line, with the program that was built, its environment
    and the directory. Where the pages are the README leaves to the program, unless the command says it; here a free port is."""
    command, before = readme.example(READMES[package], package)
    readme.says(READMES[package], f"http://{readme.PAGES}")
    words = list(command.environment.values()) + command.arguments
    filled = readme.filled(words, placeholders)
    count = len(command.environment)
    with tempfile.TemporaryDirectory() as root:
        for line in before:
            subprocess.run(["sh", "-c", line], cwd=root, check=True)
        environment = {**os.environ, **dict(zip(command.environment, filled))}
        line = [OTHER or programs()[package], *filled[count:], *(["--page", "127.0.0.1:0"] if own_port else [])]
        if OTHER:
            # It has no place of its own to keep things, makes no directory, and takes nothing for the operator's word.
            (pathlib.Path(root) / "notes").mkdir()
            line += ["--state", "state", "--isolation", "same-user"]
        yield line, environment, pathlib.Path(root)


@contextlib.contextmanager
def running(line, environment, root):
    """A server over HTTP, and what it says first."""
    server = subprocess.Popen(line, env=environment, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        yield server.stderr
    finally:
        server.terminate()
        server.communicate(timeout=LIMIT)


def over_stdio(line, environment, root):
    """How the SDK starts a server."""
    return StdioServerParameters(command=line[0], args=line[1:], env=environment, cwd=root)


def free_port():
    """A port that nobody has, outside of those that systems give away by themselves: nobody is given it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def without_bearer(url):
    """Status and challenge of a request that says nothing of who sends it."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, b"{}", timeout=LIMIT) as response:
            return response.status, None
    except urllib.error.HTTPError as error:
        return error.code, error.headers["WWW-Authenticate"]


async def quickstart_on_stdio():
    """2025-11-25, over standard input and output."""
    readme.says(READMES["quickstart"], "`--stdio` in place of `--http` speaks MCP over standard input and output")
    placeholders = {"a password of your own": PASSWORD, PERSON: PERSON, "--http": "--stdio", "127.0.0.1:8000": None}
    with installation("quickstart", placeholders) as (line, environment, root):
        async with Client(over_stdio(line, environment, root), mode="legacy") as client:
            check("stdio: the session speaks 2025-11-25", client.protocol_version == "2025-11-25", client.protocol_version)
            await drive("stdio", client, root / "notes", WithPassword())


async def quickstart_over_http():
    """2026-07-28, over streamable HTTP."""
    placeholders = {"a password of your own": PASSWORD, PERSON: PERSON, "127.0.0.1:8000": "127.0.0.1:0"}
    with installation("quickstart", placeholders) as (line, environment, root), running(line, environment, root) as said:
        told = dict(said.readline().strip().rsplit(": ", 1) for _ in range(2))
        url, token = told["MCP"], told["the agent's bearer token"]
        check("http: without a bearer nothing is answered", without_bearer(url)[0] == 401)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=LIMIT) as http_client:
            async with Client(streamable_http_client(url, http_client=http_client)) as client:
                version = client.protocol_version
                check("http: the client speaks 2026-07-28", version == "2026-07-28", version)
                await drive("http", client, root / "notes", WithPassword())


async def as_clients_do():
    """The quickstart, started and reached as docs/clients.md has each client do it."""
    command, _ = readme.command(clients.PATH, ["target/release/quickstart"])
    pages = ["--page", "127.0.0.1:0"]
    with tempfile.TemporaryDirectory() as directory:
        root, environment = pathlib.Path(directory), {name: value for name, value in os.environ.items() if name != "QUICKSTART_PASSWORD"}
        # Clients start a server where they like.
        elsewhere = root / "elsewhere"
        elsewhere.mkdir()
        places = {"/path/to/notes": str(root / "notes"), "/path/to/state": str(root / "state"), PERSON: PERSON}
        before = readme.filled(command.arguments, {**places, "127.0.0.1:8000": "127.0.0.1:0"})
        password = readme.filled(list(command.environment.values()), {"a password of your own": PASSWORD})
        line = [programs()["quickstart"], *before, *pages]
        with running(line, {**environment, **dict(zip(command.environment, password))}, root) as said:
            said.readline()
            token = said.readline().strip().rsplit(": ", 1)[1]
        shown = {client: clients.shown(client) for client in clients.CLIENTS}
        # Once there is an account, nobody needs the password, and the token stays good.
        with running(line, environment, elsewhere) as said:
            url = said.readline().strip().rsplit(": ", 1)[1]
            for client, has in shown.items():
                sends = clients.sends_the_token(client, has.http, has.inputs)
                check(f"{client}: over HTTP it sends the token, and its file doesn't hold it", sends, has.http)
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=LIMIT) as http_client:
                async with Client(streamable_http_client(url, http_client=http_client)) as session:
                    names = {tool.name for tool in (await session.list_tools()).tools}
            check("clients: a token from an earlier start is good", "write_file" in names, names)
        for client, has in shown.items():
            for words in has.commands:
                check(f"{client}: no command writes the token down", f"${clients.TOKEN}" not in " ".join(words), words)
                if "--" in words:
                    started = words[words.index("--") + 1 :]
                    check(f"{client}: the command starts the same server", started == has.stdio, started)
            program, *arguments = readme.filled(has.stdio, {**places, "/path/to/quickstart": programs()["quickstart"]})
            async with Client(over_stdio([program, *arguments, *pages], environment, elsewhere)) as session:
                await drive(client, session, root / "notes", WithPassword())
            (root / "notes" / f"{client}.txt").unlink()
        check("clients: none of them has written anything where it was started", not list(elsewhere.iterdir()))


async def typed_mutation():
    """A typed mutation, over standard input and output."""
    placeholders = {"a password of your own": PASSWORD, PERSON: PERSON}
    with installation("typed-mutation", placeholders) as (line, environment, root):
        async with Client(over_stdio(line, environment, root)) as client:
            await drive_typed(client, root / "flags.json")


async def own_store():
    """The quickstart's server on a store of its own."""
    placeholders = {"a password of your own": PASSWORD, PERSON: PERSON}
    with installation("own-store", placeholders) as (line, environment, root):
        async with Client(over_stdio(line, environment, root)) as client:
            await drive("own-store", client, root / "notes", WithPassword())
        check("own-store: that is where it keeps its plans", (root / "own-store-state" / "store.redb").stat().st_size > 0)
        check("own-store: and no other store is there", not (root / "own-store-state" / "store.sqlite3").exists())


async def own_surface():
    """The quickstart's server with pages of its own."""
    placeholders = {"a password of your own": PASSWORD, PERSON: PERSON}
    with installation("own-surface", placeholders) as (line, environment, root):
        async with Client(over_stdio(line, environment, root)) as client:
            await drive("own-surface", client, root / "notes", WithPassword())
            await drive_surface(client, WithPassword())
            check("own-surface: nothing of that was written", len(list((root / "notes").iterdir())) == 1)


async def http_oidc():
    """Requesters and approvers of an identity provider, over streamable HTTP."""
    if not (modules := os.environ.get("PROVIDER_MODULES")):
        return skip("http-oidc", os.environ.get("NO_PROVIDER", "PROVIDER_MODULES doesn't say where npm's oidc-provider is"))
    pages, endpoint = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    path, url, subject = READMES["http-oidc"], f"http://{endpoint}/mcp", "alice-at-the-provider"
    # What the README says is to be registered there, and in the file of the providers.
    readme.says(path, f"redirect URI `http://{readme.PAGES}/login/callback/sso`")
    file = readme.block(path, "toml")
    placeholders = {"http://127.0.0.1:8000/mcp": url}
    with provider(modules, f"http://{pages}") as issuer, installation("http-oidc", placeholders, False) as (line, environment, root):
        entries = {"https://id.example/realms/ops": issuer, "http://127.0.0.1:8000/mcp": url, "0f9b1c2e-alice": subject}
        (root / "providers.toml").write_text(readme.filled_text(file, entries))
        (root / "providers.toml").chmod(0o600)
        # Where it is served is left to the program as well.
        with running([*line, "--http", endpoint, "--page", pages], environment, root) as said:
            told = said.readline()
            check("http-oidc: it says where it is", told.strip() == f"MCP: {url}", told)
            code, challenge = without_bearer(url)
            metadata = f'resource_metadata="http://{endpoint}/.well-known/oauth-protected-resource/mcp"'
            check("http-oidc: without a token it says where to get one", code == 401 and metadata in challenge, challenge)
            http_client, known = agent(url, issuer, subject)
            async with http_client, Client(streamable_http_client(url, http_client=http_client)) as client:
                check("http-oidc: the agent got its token by itself", known.token.scope == "mcp", known.token)
                await drive("http-oidc", client, root / "notes", AtProvider(subject))
            stranger, known = agent(url, issuer, "mallory")
            async with stranger:
                answer = await stranger.post(url, json={})
            check("http-oidc: a token of nobody who is listed is good for nothing", known.token is not None and answer.status_code == 401, answer)


def main():
    """Runs all of it; a part that breaks off is a failure, never a silence."""
    parts = [quickstart_on_stdio, quickstart_over_http]
    if OTHER is None:
        # Built before anybody waits for them.
        programs()
        parts += [as_clients_do, typed_mutation, own_store, own_surface, http_oidc]
    for part in parts:
        try:
            asyncio.run(asyncio.wait_for(part(), 5 * LIMIT))
        except BaseException as error:
            traceback.print_exception(error)
            check(f"{part.__name__} runs to its end", False, error)
            if not isinstance(error, Exception):
                raise
    print(f"{results['passed']} passed, {results['failed']} failed", flush=True)
    return 1 if results["failed"] or not results["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
