"""Which decisions does a host make about ACKs, and why? A recorder keeps its events while it receives from a bad wire.
Run it as any user: python ack_decisions.py"""

from collections import Counter

import stack
import trio
import trio.testing


async def main() -> None:
    ethernet, recorder = stack.Ethernet(), stack.Recorder()
    async with (
        stack.open_host(stack.Impaired(ethernet.attach(), loss=0.1, seed=1), address="10.9.0.1/24") as server,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24") as client,
    ):
        (listener,) = await server.open_tcp_listeners(7)
        async with listener, await client.open_tcp_stream("10.9.0.1", 7) as stream:
            with client.watch(recorder):  # only inside this block
                async with await listener.accept() as accepted:
                    await accepted.send_all(bytes(100_000))
                print(sum([len(data) async for data in stream]), "octets")
    acks = [event for event in recorder if event.name == "tcp:ack"]
    whys = Counter(f"{ack.data['decision']}: {stack.explain(ack).partition(': ')[2]}" for ack in acks)
    print(*(f"{times:3} {why}" for why, times in whys.most_common()), sep="\n")


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
