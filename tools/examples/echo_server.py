"""An echo server on a host of its own: it is 10.9.0.2 on the TAP tap0, and the kernel is 10.9.0.1.
Run it as root: python echo_server.py. Then talk to it from a second terminal: nc 10.9.0.2 7"""

import stack
import trio


async def echo(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data)


async def main() -> None:
    tap = stack.Tap("tap0", host_address="10.9.0.1/24")
    async with stack.open_host(tap, address="10.9.0.2/24") as host:
        print("ready: echo on 10.9.0.2, port 7")
        await host.serve_tcp(echo, 7)


if __name__ == "__main__":
    try:
        trio.run(main)
    except* KeyboardInterrupt:  # Ctrl-C; trio may raise it in a group
        pass
