"""A process that forks while a transport of its is in use."""

from __future__ import annotations

import subprocess
import sys
import textwrap

SCRIPT = """
    import asyncio, os, sys
    from skerry.core.instance import Address
    from skerry.core.wire import Request
    from skerry.transport.http import HttpTransport

    OK = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
    connections = 0

    async def connected(reader, writer):
        global connections
        connections += 1
        while await reader.read(1000):
            writer.write(OK)

    async def main(run):
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        call = HttpTransport(driver=sys.argv[2]).connect(Address(f"http://127.0.0.1:{port}"))

        async def once():
            return (await call(Request("POST", "/", body=b"{}"))).body

        assert await once() == b"ok"
        child = os.fork()
        if not child:
            try:
                assert run(once()) == b"ok"
                os._exit(0)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert await once() == b"ok"
        print(os.waitstatus_to_exitcode(status), connections)

    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.run(main(uvloop.run))
    else:
        asyncio.run(main(asyncio.run))
"""


def fork(loop: str, driver: str) -> str:
    """What it printed: the child's exit code, and how many connections the two have made."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT), loop, driver],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
