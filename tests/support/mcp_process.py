"""A script that calls the tools of an MCP server, with the official client library, `mcp`.

Its arguments are the command of the server, which it starts and talks to through standard input
and output. Each line of input is `["name of the tool", {arguments}]`, or `["", {}]` for the names
of all tools; each line of output is the result. It runs with `mcp` 1 and 2.
"""

import asyncio
import json
import os
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def answer(session: Any, tool: str, arguments: dict[str, Any]) -> Any:
    """Return the result of a tool as plain data, or the names of the tools."""
    if not tool:
        return [each.name for each in (await session.list_tools()).tools]
    result = await session.call_tool(tool, arguments)
    return result.model_dump(mode="json", by_alias=True)


async def main(command: str, *arguments: str) -> None:
    """Start the server and call a tool for every line of input."""
    server = StdioServerParameters(command=command, args=list(arguments), env=dict(os.environ))
    async with stdio_client(server) as streams, ClientSession(*streams[:2]) as session:
        await session.initialize()
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await answer(session, *json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
