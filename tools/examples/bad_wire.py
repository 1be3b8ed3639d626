"""A wire that loses, delays and reorders frames: TCP sends again what is lost, and all data arrives.
Run it as any user: python bad_wire.py. Its clock is virtual, and its seed makes each run the same."""

import stack
import trio.testing


async def main() -> None:
    ethernet = stack.Ethernet(seed=1)
    wire = stack.Impaired(ethernet.attach(), loss=0.05, reorder=0.02, delay_s=0.02)
    async with (
        stack.open_host(wire, address="10.9.0.1/24", acd="off") as sender,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off") as receiver,
        trio.open_nursery() as nursery,
    ):
        (listener,) = await receiver.open_tcp_listeners(7)
        stream = await sender.open_tcp_stream("10.9.0.2", 7)
        nursery.start_soon(stream.send_all, bytes(1_000_000))
        received, arrived = await listener.accept(), 0
        while arrived < 1_000_000:
            arrived += len(await received.receive_some())
        again = sender.counters()["tcpRetransSegs"]
        print(f"{arrived} octets in {trio.current_time():.1f} s, {again} segments sent again")


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
