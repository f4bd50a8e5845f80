"""PyPI's `mcp` as the driver's agent: a line of JSON in, a line of JSON out. It ends with its input.

The first line says how to connect: `revision`, whether it `opens` pages, and `stdio` (`command`, `args`) or `http` (`url`,
`token`). Where it is asked to open a page, it says which, and hears what to answer.
"""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

MODES = {"2025-11-25": "legacy", "2026-07-28": "auto"}
LIMIT = 60


def say(message):
    print(json.dumps(message), flush=True)


async def hear():
    """The next request; nothing when there won't be one."""
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line else None


def plain(model):
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


async def answer(client, request):
    try:
        if "list" in request:
            return {"tools": [plain(tool) for tool in (await client.list_tools()).tools]}
        result = await client.call_tool(request["call"], request["arguments"], read_timeout_seconds=LIMIT)
        return {"result": plain(result)}
    except MCPError as error:
        return {"error": str(error), "code": error.code}
    except RuntimeError as error:  # what it says of structured content that doesn't fit
        return {"error": str(error)}


async def open_page(_, params):
    say({"opens": params.url})
    return ElicitResult(action=(await hear())["opened"])


async def talk(transport, told):
    callback = open_page if told.get("opens") else None
    async with Client(transport, mode=MODES[told["revision"]], elicitation_callback=callback) as client:
        say({"revision": client.protocol_version, "capabilities": plain(client.server_capabilities)})
        while (request := await hear()) is not None:
            say(await answer(client, request))


async def main():
    told = await hear()
    if "stdio" in told:
        server = StdioServerParameters(command=told["stdio"]["command"], args=told["stdio"]["args"])
        await talk(server, told)
    else:
        headers = {"Authorization": f"Bearer {told['http']['token']}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=LIMIT) as http:
            await talk(streamable_http_client(told["http"]["url"], http_client=http), told)


asyncio.run(main())
