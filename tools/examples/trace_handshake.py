"""A trace of one TCP connection: each frame that the client sees, in words, and what its stack decides.
Run it as any user: python trace_handshake.py"""

import stack
import trio


def show(event: stack.Event) -> None:
    octets = event.data.get("octets")
    if isinstance(octets, bytes):
        print(event.data["dir"], *stack.show(octets), sep="\n    ")
    elif explained := stack.explain(event):
        print("   *", event.group, explained)


async def main() -> None:
    ethernet = stack.Ethernet()
    async with (
        stack.open_host(ethernet.attach(), address="10.9.0.1/24", acd="off") as server,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off", trace=show) as client,
    ):
        (listener,) = await server.open_tcp_listeners(7)
        async with listener, await client.open_tcp_stream("10.9.0.1", 7) as stream:
            await stream.send_all(b"hello")
            await trio.sleep(0.1)  # for the acknowledgment


if __name__ == "__main__":
    trio.run(main)
