"""The MCP client for Python, which knows the address of an MCP server and nothing else.

Reads {"url", "name", "method", "mode"} as a line of JSON, asks for the person with {"ask": url} and reads what came back, and says in the
end what it found."""

import asyncio
import json
import sys
import time

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

CALLBACK = "http://localhost:8977/callback"


class Memory:
    """What the client keeps, and how often it did."""

    def __init__(self):
        self.tokens = None
        self.client = None
        self.registered = 0

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info
        self.registered += 1


def say(message):
    print(json.dumps(message), flush=True)


class Person:
    """Opens what it is given, in the browser of the test."""

    def __init__(self):
        self.opened = []

    async def open(self, url):
        self.opened.append(url)
        say({"ask": url})

    async def back(self):
        line = await asyncio.to_thread(sys.stdin.readline)
        return AuthorizationCodeResult(**json.loads(line))


async def whoami(asked, auth):
    """One connection: what the server says of itself and of us."""
    async with httpx2.AsyncClient(auth=auth, follow_redirects=True) as http:
        transport = streamable_http_client(asked["url"], http_client=http)
        async with Client(transport, mode=asked["mode"]) as client:
            tools = await client.list_tools()
            answer = await client.call_tool("whoami", {})
            return {
                "version": client.protocol_version,
                "tools": [tool.name for tool in tools.tools],
                "failed": answer.is_error,
            }


async def main():
    asked = json.loads(sys.stdin.readline())
    memory, person = Memory(), Person()
    metadata = OAuthClientMetadata(
        client_name=asked["name"],
        redirect_uris=[CALLBACK],
        token_endpoint_auth_method=asked["method"],
    )
    provider = OAuthClientProvider(asked["url"], metadata, memory, person.open, person.back)
    kept, connections, opened = [], [], []

    async def connect(auth):
        connections.append(await whoami(asked, auth))
        kept.append(memory.tokens.model_dump(exclude_none=True))
        opened.append(len(person.opened))

    await connect(provider)
    # An hour later.
    provider.context.token_expiry_time = time.time() - 1
    await connect(provider)
    # Another process, with what was kept.
    await connect(OAuthClientProvider(asked["url"], metadata, memory, person.open, person.back))
    say({
        "connections": connections,
        "kept": kept,
        "opened": opened,
        "url": person.opened[0],
        "registered": memory.registered,
        "client": json.loads(memory.client.model_dump_json(exclude_none=True)),
    })


asyncio.run(main())
