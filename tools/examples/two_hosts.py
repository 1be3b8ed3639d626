"""Two hosts on an Ethernet in memory: one serves, the other is its client.
Run it as any user: python two_hosts.py"""

import stack
import trio


async def shout(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data.upper())


async def main() -> None:
    ethernet = stack.Ethernet()
    async with (
        stack.open_host(ethernet.attach(), address="10.9.0.1/24", acd="off") as server,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off") as client,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.serve_tcp, shout, 7)
        async with await client.open_tcp_stream("10.9.0.1", 7) as stream:
            await stream.send_all(b"hello\n")
            print((await stream.receive_some()).decode(), end="")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
