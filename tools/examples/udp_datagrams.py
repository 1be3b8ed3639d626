"""UDP between two hosts in memory: the sockets are those of `trio.socket`, made by the host.
Run it as any user: python udp_datagrams.py"""

import stack
import trio


async def main() -> None:
    ethernet = stack.Ethernet()
    async with (
        stack.open_host(ethernet.attach(), address="10.9.0.1/24", acd="off") as one,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off") as two,
    ):
        server = one.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        await server.bind(("10.9.0.1", 7))
        client = two.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        await client.sendto(b"hello", ("10.9.0.1", 7))
        data, sender = await server.recvfrom(1500)
        await server.sendto(data.upper(), sender)
        print(await client.recv(1500))


if __name__ == "__main__":
    trio.run(main)
