"""What docs/clients.md shows for each client: the configuration that it reads, and the commands that write one."""

import dataclasses
import json
import re
import shlex
import tomllib

import readme

PATH = "docs/clients.md"

# The variable that holds the agent's token, and where the page has the server.
TOKEN = "NOTES_TOKEN"
ENDPOINT = "http://127.0.0.1:8000/mcp"

# How each client reads its file, under which name servers stand there, and how it writes the header that has the token. Codex writes
# that header itself: the file names the variable.
CLIENTS = {
    "Claude Code": ("json", json.loads, "mcpServers", f"Bearer ${{{TOKEN}}}"),
    "Codex": ("toml", tomllib.loads, "mcp_servers", None),
    "Cursor": ("json", json.loads, "mcpServers", f"Bearer ${{env:{TOKEN}}}"),
    "VS Code": ("json", json.loads, "servers", "Bearer ${input:notes-token}"),
}


@dataclasses.dataclass
class Shown:
    """A client's two servers, as the page has them, and the commands beside them."""

    stdio: list
    http: dict
    inputs: list
    commands: list


def shown(client):
    """What the page shows for a client: one server that the client starts, then one that it reaches."""
    language, parse, name, _ = CLIENTS[client]
    section = readme.section(PATH, client)
    files = [parse(block) for block in readme.fenced(section, language)]
    servers = [file[name] for file in files]
    if [list(server) for server in servers] != [["notes"], ["notes"]]:
        raise readme.Wrong(f"{PATH} has for {client} in place of two servers: {servers}")
    started, reached = (server["notes"] for server in servers)
    line = [started.pop("command"), *started.pop("args")]
    if started not in ({}, {"type": "stdio"}):
        raise readme.Wrong(f"{PATH} has for {client} more than it should: {started}")
    commands = [command for block in readme.fenced(section, "console") for command in readme.commands(block)]
    inputs = [given["id"] for file in files for given in file.get("inputs", [])]
    return Shown(line, reached, inputs, [shlex.split(command) for command in commands])


def sends_the_token(client, server, inputs):
    """Whether a server that is reached is the page's, and is sent the token, which itself isn't in the file."""
    header = CLIENTS[client][3]
    sends = {"bearer_token_env_var": TOKEN} if header is None else {"headers": {"Authorization": header}}
    kind = {"type": "http"} if "type" in server else {}
    asked = re.findall(r"\$\{input:(.*?)\}", json.dumps(server))
    return server == {"url": ENDPOINT, **sends, **kind} and asked == inputs
