"""A client on a host of its own: it connects from 10.9.0.2 to a program on the kernel's 10.9.0.1.
Start the program: nc -l 8000. Run it as root in a second terminal: python client.py"""

import stack
import trio


async def main() -> None:
    tap = stack.Tap("tap0", host_address="10.9.0.1/24")
    async with stack.open_host(tap, address="10.9.0.2/24") as host:
        print(f"the ping took {await host.ping('10.9.0.1'):.6f} s")
        async with await host.open_tcp_stream("10.9.0.1", 8000) as stream:
            await stream.send_all(b"hello from user space\n")
            async for data in stream:  # until the program closes its connection
                print(data.decode(), end="", flush=True)


if __name__ == "__main__":
    try:
        trio.run(main)
    except* KeyboardInterrupt:  # Ctrl-C; trio may raise it in a group
        pass
