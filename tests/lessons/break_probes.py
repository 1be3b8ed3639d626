"""Runs in which a clause that is taken out changes what happens: Python as in a lesson, by name."""

from __future__ import annotations

PROBES = {
    "talk": """
c, s = await lesson.hosts("c", "s")
await lesson.serve(s, lesson.echo, 7)
with trio.move_on_after(20):
    stream = await c.open_tcp_stream("10.9.0.2", 7)
    await stream.send_all(b"a" * 5000)
    await stream.send_all(b"b" * 100)
    await stream.send_all(b"c" * 100)
    await lesson.sleep(1)
    await stream.receive_some()
    await lesson.sleep(1)
    await stream.aclose()
await lesson.sleep(130)
""",
    "loss": """
c, s = await lesson.hosts("c", "s")
lesson.lose("c", "syn")
lesson.lose("c", "data", 5)
lesson.lose("c", "data", 7)
lesson.fault("c", "swap", "data", 20)
await lesson.serve(s, lesson.sink, 9)
stream = await c.open_tcp_stream("10.9.0.2", 9)
await stream.send_all(b"a" * 150_000)
await lesson.sleep(5)
lesson.lose("c", "data")
await stream.send_all(b"the last one")
await lesson.sleep(5)
""",
    "plain_loss": """
tcp = stack.TcpConfig(congestion="reno", sack=False, rack=False, timestamps=False, initial_window_segments=3)
c = await lesson.host("c", config=stack.Config(tcp=tcp))
s = await lesson.host("s")
lesson.lose("c", "syn")
lesson.lose("c", "data", 10)
await lesson.serve(s, lesson.sink, 9)
stream = await c.open_tcp_stream("10.9.0.2", 9)
await stream.send_all(b"a" * 200_000)
await lesson.sleep(5)
lesson.lose("c", "data", 1)
lesson.lose("c", "data", 2)
await stream.send_all(b"a" * 4000)
await lesson.sleep(9)
""",
    "slow_reader": """
tcp = stack.TcpConfig(receive_buffer_bytes=4096, max_receive_buffer_bytes=4096, auto_tuning=False)
c = await lesson.host("c")
s = await lesson.host("s", config=stack.Config(tcp=tcp))
(listener,) = await s.open_tcp_listeners(9)
stream = await c.open_tcp_stream("10.9.0.2", 9)
theirs = await listener.accept()
lesson.start(stream.send_all, b"a" * 20_000)
await lesson.sleep(30)
for _ in range(400):
    await theirs.receive_some(30)
    await lesson.sleep(0.02)
""",
    "peer": """
c = await lesson.host("c")
(listener,) = await c.open_tcp_listeners(9)
peer = await lesson.peer()
conversation = await peer.connect("10.9.0.1", 9)
theirs = await listener.accept()
conversation.transmit(testing.ACK, b"old", seq=conversation.next_seq, ack=-70_000)
await lesson.sleep(1)
conversation.transmit(testing.RST | testing.ACK, seq=conversation.next_seq + 100)
await lesson.sleep(1)
conversation.transmit(testing.ACK | testing.PSH, b"wrong", seq=1, bad_checksum=True)
await lesson.sleep(1)
conversation.transmit(testing.RST, seq=1)
await lesson.sleep(1)
""",
    "no_mss": """
c = await lesson.host("c")
(listener,) = await c.open_tcp_listeners(9)
peer = await lesson.peer()
conversation = await peer.toward("10.9.0.1", 9)
conversation.transmit(testing.SYN, options=b"")
await lesson.sleep(1)
""",
    "together": """
c = await lesson.host("c")
peer = await lesson.peer(testing.opens_simultaneously())
with trio.move_on_after(20):
    stream = await c.open_tcp_stream("10.9.0.66", 9)
""",
    "dead": """
import socket
c = await lesson.host("c")
peer = await lesson.peer(testing.falls_silent(received=5))
stream = await c.open_tcp_stream("10.9.0.66", 9)
await stream.send_all(b"hello")
await lesson.sleep(1)
await stream.send_all(b"is somebody there?")
await lesson.sleep(900)
""",
    "idle": """
import socket
c, s = await lesson.hosts("c", "s")
await lesson.serve(s, lesson.sink, 9)
await lesson.serve(s, lesson.sink, 10)
kept, other = await c.open_tcp_stream("10.9.0.2", 9), await c.open_tcp_stream("10.9.0.2", 10)
kept.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
lesson.lose("c", "segment", 1)
await lesson.sleep(15_000)
""",
    "close_unread": """
import socket
c, s = await lesson.hosts("c", "s")
(listener,) = await s.open_tcp_listeners(9)
stream = await c.open_tcp_stream("10.9.0.2", 9)
theirs = await listener.accept()
await theirs.socket.send(b"!", socket.MSG_OOB)
await lesson.sleep(1)
await theirs.send_all(b"never read")
await lesson.sleep(1)
await stream.aclose()
await lesson.sleep(1)
try:
    lesson.keep(got=len(await theirs.receive_some()))
except trio.BrokenResourceError as error:
    lesson.keep(got=str(error.__cause__))
""",
    "flood": """
c = await lesson.host("c", config=stack.Config(tcp=stack.TcpConfig(syn_backlog=4)))
(listener,) = await c.open_tcp_listeners(9)
peer = await lesson.peer()
for _ in range(8):
    (await peer.toward("10.9.0.1", 9)).transmit(testing.SYN)
    await lesson.sleep(0.1)
""",
    "too_big": """
c, s = await lesson.hosts("c", "s")
await lesson.serve(s, lesson.sink, 9)
stream = await c.open_tcp_stream("10.9.0.2", 9)
await stream.send_all(b"a" * 1448)
await lesson.sleep(0.001)
sent = [e.data["octets"] for h, e in lesson.recording.told if h == "c" and e.name == "wire:frame"][-1]
def checked(octets, at):
    words = [int.from_bytes(octets[n : n + 2], "big") for n in range(0, len(octets), 2)]
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return octets[:at] + (0xFFFF ^ total).to_bytes(2, "big") + octets[at + 2 :]
message = checked(bytes((3, 4, 0, 0, 0, 0)) + (1000).to_bytes(2, "big") + sent[14:42], 2)
header = bytes((0x45, 0)) + (20 + len(message)).to_bytes(2, "big") + bytes((0, 0, 0, 0, 64, 1, 0, 0))
header += bytes((10, 9, 0, 9, 10, 9, 0, 1))
raw = lesson.ethernet.attach("raw")
raw.open(lambda: None)
raw.write([bytes.fromhex("020000000001020000000009") + b"\\x08\\0" + checked(header, 10) + message], lesson.now)
await lesson.sleep(1)
await stream.send_all(b"a" * 3000)
await lesson.sleep(1)
""",
    "conflict": """
c = await lesson.host("c", acd="probe")
await lesson.sleep(5)
raw = lesson.ethernet.attach("raw")
raw.open(lambda: None)
arp = "00010800060400010200000000090a0900010000000000000a090001"
raw.write([bytes.fromhex("ffffffffffff0200000000090806" + arp)], lesson.now)
await lesson.sleep(1)
""",
    "fragments": """
c, s = await lesson.hosts("c", "s")
with trio.move_on_after(5):
    await c.ping("10.9.0.2", size=4000)
""",
    "lease": """
server = await lesson.host("server", "10.9.0.1/24")
dhcp = await lesson.dhcp_server(server, "10.9.0.1/24", "10.9.0.50", lease_s=120)
client = await lesson.host("client", "dhcp")
dhcp.says_no = True
await lesson.sleep(70)
""",
    "old_duplicate": """
c, s = await lesson.hosts("c", "s")
await lesson.serve(s, lesson.sink, 9)
stream = await c.open_tcp_stream("10.9.0.2", 9)
await stream.send_all(b"first")
await lesson.sleep(1)
frames = [e.data for h, e in lesson.recording.told if h == "c" and e.name == "wire:frame"]
sent = [frame["octets"] for frame in frames if frame["len"] > 66][-1]
await stream.send_all(b"second")
await lesson.sleep(1)
raw = lesson.ethernet.attach("raw")
raw.open(lambda: None)
raw.write([sent], lesson.now)
await lesson.sleep(1)
""",
}
