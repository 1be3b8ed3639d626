"""A host that gets its address from a DHCP server on the network of the TAP tap0. Run it as root: python dhcp_lease.py
Then a server, as root: dnsmasq -d --port=0 --bind-dynamic -i tap0 --dhcp-range=10.9.0.50,10.9.0.99"""

import stack
import trio


async def main() -> None:
    tap = stack.Tap("tap0", host_address="10.9.0.1/24")
    print("waiting for a server")
    async with stack.open_host(tap, address="dhcp", dhcp=stack.Dhcp(wait="bound", wait_s=None)) as host:
        lease = host.lease
        while lease is not None:
            print(f"{lease.address}/{lease.prefix_length} from {lease.server} for {lease.lease_s} s")
            print(f"routers {lease.routers}, name servers {lease.name_servers}")
            lease = await host.wait_lease_change(lease)  # until it is renewed, or ends
        print("the lease has ended")


if __name__ == "__main__":
    try:
        trio.run(main)
    except* KeyboardInterrupt:  # Ctrl-C; trio may raise it in a group
        pass
