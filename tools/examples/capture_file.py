"""A file for Wireshark: what passes over a host's link while it pings another host goes into ping.pcapng.
Run it as any user: python capture_file.py. Then: wireshark ping.pcapng, or tcpdump -r ping.pcapng"""

import stack
import trio


async def main() -> None:
    ethernet = stack.Ethernet()
    link = stack.Capture(ethernet.attach(), "ping.pcapng")
    async with (
        stack.open_host(link, address="10.9.0.1/24", acd="off") as host,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off"),
    ):
        for _ in range(3):
            print(f"answered in {await host.ping('10.9.0.2'):.6f} s")


if __name__ == "__main__":
    trio.run(main)
