"""A test of your own server over a wire that loses a tenth of all frames: in virtual time, so it ends at once.
Run it as any user, after `pip install pytest-trio`: pytest test_packet_loss.py"""

import pytest
import stack
import trio.testing


async def shout(stream: trio.SocketStream) -> None:
    async for data in stream:
        await stream.send_all(data.upper())


@pytest.mark.trio
async def test_the_answer_is_whole(autojump_clock: trio.testing.MockClock) -> None:
    ethernet = stack.Ethernet(seed=1)  # each run loses the same frames
    wire = stack.Impaired(ethernet.attach(), loss=0.1)
    server_host = stack.open_host(wire, address="10.9.0.1/24", acd="off")
    client_host = stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off")
    with trio.fail_after(60):
        async with server_host as server, client_host as client, trio.open_nursery() as nursery:
            await nursery.start(server.serve_tcp, shout, 7)
            stream = await client.open_tcp_stream("10.9.0.1", 7)
            await stream.send_all(b"hello " * 10_000)
            await stream.send_eof()
            assert b"".join([data async for data in stream]) == b"HELLO " * 10_000
            nursery.cancel_scope.cancel()
