"""An HTTP request by httpx over this stack: inside `host.install()` trio's sockets, and so httpx's, are the host's.
Run it as any user, after `pip install httpx`: python http_request.py"""

import httpx
import stack
import trio


async def answer(stream: trio.SocketStream) -> None:
    await stream.receive_some()  # the request, which is in one segment
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nhello from user space\n")


async def main() -> None:
    ethernet = stack.Ethernet()
    async with (
        stack.open_host(ethernet.attach(), address="10.9.0.1/24", acd="off") as server,
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off") as client,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.serve_tcp, answer, 80)
        with client.install():
            async with httpx.AsyncClient() as http:
                print((await http.get("http://10.9.0.1/")).text, end="")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
