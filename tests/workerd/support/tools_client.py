"""The official MCP client for Python at the tools: it judges every answer by the schema that is listed.

Reads {"url", "mode", "address"} as a line of JSON, says {"ask": {"tools": [...]}} once, and then carries out what it is answered:
{"tool", "arguments"} is called and {"ask": {"is_error", "content"}} said; {"done": true} ends it."""

import asyncio
import json
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


def say(message):
    print(json.dumps(message), flush=True)


async def read():
    return json.loads(await asyncio.to_thread(sys.stdin.readline))


async def main():
    asked = await read()
    async with httpx2.AsyncClient(headers={"cf-connecting-ip": asked["address"]}) as http:
        transport = streamable_http_client(asked["url"], http_client=http)
        async with Client(transport, mode=asked["mode"]) as client:
            tools, cursor = [], None
            while True:
                page = await client.list_tools(cursor=cursor)
                tools += [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in page.tools]
                cursor = page.next_cursor
                if cursor is None:
                    break
            say({"ask": {"tools": tools}})
            called = 0
            while True:
                order = await read()
                if order.get("done"):
                    break
                answer = await client.call_tool(order["tool"], order["arguments"])
                called += 1
                say({"ask": {"is_error": answer.is_error, "content": answer.structured_content}})
            say({"version": client.protocol_version, "called": called})


asyncio.run(main())
