"""The TCP module of a host: takes segments from IP, opens connections and reserves ports.

`stack.tcp.demux` finds the connection or listener of a segment. See RFC 9293 sections 3.9.1.1
(OPEN) and 3.9.2 (the interface to IP), RFC 1122 section 4.2.3.10 (no answer to a broadcast).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import inf

from stack.budget import Budget
from stack.config import TcpConfig
from stack.counters import Counters
from stack.errors import error_name, os_error
from stack.host.deadlines import Deadlines
from stack.host.ports import EphemeralPorts
from stack.internet.icmp_error import IcmpError
from stack.internet.ipv4 import Ipv4
from stack.internet.path import Path, Way
from stack.internet.received import Received
from stack.noop import noop
from stack.socket_option import Value
from stack.tcp import fast_open
from stack.tcp.congestion import POLICIES
from stack.tcp.connection import Connection
from stack.tcp.demux import Demux
from stack.tcp.ecn import CE
from stack.tcp.isn import initial_sequence_number, keyed_hash
from stack.tcp.listener import Listener
from stack.tcp.memory import give_back
from stack.tcp.options import UserOption, UserOptions, with_option
from stack.tcp.states import State
from stack.tcp.tcb import Services, Tcb
from stack.tcp.time_wait import suspended
from stack.wire.addresses import ANY, endpoint
from stack.wire.checksum import internet_checksum, ones_sum, pseudo_sum
from stack.wire.flow import PORTS, flow_key
from stack.wire.ipv4 import ADDRESSES, HEADER_LENGTH, PROTOCOL_AT
from stack.wire.numbers import PROTO_TCP
from stack.wire.tcp import CHECKSUM_AT, SEQ_AT

Address = tuple[bytes, int]

OF_THE_HOST = (
    "syn_cookie_period_s", "fast_open_key_period_s", "fast_open_servers", "fast_open_max_mss", "fast_open_retry_s",
    "fast_open_retry_max_s",
)  # fmt: skip
"""The fields of `TcpConfig` that concern what the host itself remembers, no single connection."""


class TcpLayer:
    """All connections and listeners of a host.

    Arguments: `Config.tcp`, the counters, the internet layer, the ephemeral ports, `random(n)`, the
    deadlines, `clock()`, and the memory budget. `clock()` is the time of the call or frame in
    progress. TCP needs it for errors that IP reports during a call without giving the time.
    """

    def __init__(
        self,
        config: TcpConfig,
        counters: Counters,
        ip: Ipv4,
        ports: EphemeralPorts,
        random: Callable[[int], bytes],
        deadlines: Deadlines,
        clock: Callable[[], float],
        budget: Budget,
    ) -> None:
        check_congestion(config)
        secret, timestamp_secret, cookie_secret = random(16), random(16), random(16)
        self.services = Services(
            config,
            counters,
            lambda key, now: initial_sequence_number(secret, key, now),
            armed=deadlines.arm,
            closed=self._closed,
            timestamp_offset=lambda key: keyed_hash(timestamp_secret, key),
            clock=clock,
            cookie_secret=cookie_secret,
            budget=budget,
        )
        self.demux = Demux(self.services, self._accept, self._send_reset, ports.spread, self._device_of)
        self.connections = self.demux.connections
        self.listeners = self.demux.listeners
        self.on_none_left: Callable[[], object] = noop  # for the fast path: no connection is left
        self._deadlines = deadlines
        self._counters = counters
        self._ip = ip
        self._ports = ports
        # By port: (address, reuse_address, reuse_port) of each `bind`
        self._reserved: dict[int, list[tuple[bytes, bool, bool]]] = {}
        self._local_ports: dict[int, int] = {}  # how many connections use a local port
        # What a new BSD socket asks for: urgent data out of the stream, and IP's TTL
        self.socket_options = self._for_sockets(self.services.user_options)
        self._random = random
        self._shared_with_option = lru_cache(maxsize=64)(with_option)

    def _for_sockets(self, options: UserOptions) -> UserOptions:
        return replace(options, oobinline=False, ttl=self._ip.config.ttl)

    def configure(self, config: TcpConfig) -> None:
        """Let the connections to come have another configuration: see `stack.Host.configure`.

        ValueError for a value that is not allowed, or for another value of `OF_THE_HOST`.
        """
        check_congestion(config)
        for name in OF_THE_HOST:
            if getattr(config, name) != getattr(self.services.config, name):
                raise ValueError(f"TcpConfig.{name} concerns the whole host: it cannot change while the host runs")
        self.services.configure(config, self._random(16))
        self.socket_options = self._for_sockets(self.services.user_options)

    # --- user calls

    def with_option(self, options: UserOptions, option: UserOption, value: Value) -> UserOptions:
        """`options` with another value of one option.

        Most sockets of a program set the same options: they share the objects. Options with the
        user's own callback are not kept for that.
        """
        change = self._shared_with_option if options.on_error is None else with_option
        return change(options, option, value)

    def bind(self, local: Address, reuse_address: bool, reuse_port: bool = False, free: bool = False) -> int:
        """Reserve a local address and port, or an ephemeral port for port 0. Returns the port.

        As in BSD, `reuse_address` allows a port that only connections use, or that is reserved by
        sockets which also have `reuse_address`. It does not allow the port of a listener;
        `reuse_port` does, if the listener has it too. Raises OSError: EADDRNOTAVAIL (not our
        address, unless `free`), EADDRINUSE.
        """
        address, port = local
        if address != ANY and not free and self._ip.owner(address) is None:
            raise os_error(errno.EADDRNOTAVAIL)
        if port == 0:
            chosen = self._ports.choose(address, lambda p: self._may_be_listened_on(p) or p in self._local_ports)
            if chosen is None:
                raise os_error(errno.EADDRINUSE)
            port = chosen
        elif self._is_taken(address, port, reuse_address, reuse_port):
            raise os_error(errno.EADDRINUSE)
        self._reserved.setdefault(port, []).append((address, reuse_address, reuse_port))
        return port

    def _may_be_listened_on(self, port: int) -> bool:
        """Whether a listener has the port or may get it, so that it cannot be ephemeral.

        See RFC 6056 section 3.1.
        """
        if port in self._reserved:
            return True
        for _, other in self.listeners:  # noqa: SIM110  any() costs one more call for each connection
            if other == port:
                return True
        return False

    def _is_taken(self, address: bytes, port: int, reuse_address: bool, reuse_port: bool) -> bool:
        if self._is_listened_on(address, port, reuse_port):
            return True
        for other, reuse, shares in self._reserved.get(port, ()):
            if _overlap(address, other) and not (reuse and reuse_address) and not (shares and reuse_port):
                return True
        return not reuse_address and not reuse_port and port in self._local_ports

    def _is_listened_on(self, address: bytes, port: int, reuse_port: bool) -> bool:
        """Whether a listener has the port, and does not share it."""
        return any(
            _overlap(address, other[0]) and other[1] == port and not (reuse_port and listener.reuse_port)
            for other, listener in self.listeners.items()
        )

    def set_reuse(self, local: Address, old: tuple[bool, bool], new: tuple[bool, bool]) -> None:
        """Change (`reuse_address`, `reuse_port`) of a reservation.

        As in Linux, it counts when the next socket is bound.
        """
        held = self._reserved.get(local[1], [])
        if (local[0], *old) in held:
            held[held.index((local[0], *old))] = (local[0], *new)

    def release(self, local: Address) -> None:
        """Release a reservation."""
        held = self._reserved.get(local[1], [])
        for index, (address, _, _) in enumerate(held):
            if address == local[0]:
                del held[index]
                break
        if not held:
            self._reserved.pop(local[1], None)

    def listen(
        self,
        local: Address,
        backlog: int,
        options: UserOptions,
        reuse_port: bool = False,
        free: bool = False,
        way: Way | None = None,
    ) -> Listener:
        """Passive OPEN on an address (or ANY) and port. The connections begin with `options`.

        With `reuse_port` others that have it too may listen on the same port. With `way` only
        segments by that interface count, and answers go there. Raises OSError: EADDRINUSE,
        EADDRNOTAVAIL (not our address, unless `free`).
        """
        address, port = local
        if address != ANY and not free and self._ip.owner(address) is None:
            raise os_error(errno.EADDRNOTAVAIL)
        if self._is_listened_on(address, port, reuse_port):
            raise os_error(errno.EADDRINUSE)
        listener = Listener(self.services, local, backlog, options)
        listener.reuse_port, listener.way = reuse_port, way
        listener.on_closed = self.demux.remove_listener
        self.demux.add_listener(listener)
        return listener

    def connect(
        self,
        local: Address | None,
        remote: Address,
        options: UserOptions,
        now: float,
        deferred: bool = False,
        way: Way | None = None,
    ) -> Connection:
        """Active OPEN: make a connection and send its SYN.

        With `deferred` no SYN is sent until `Connection.open` or the first SEND. The option
        `fast_open_connect` implies this if a Fast Open cookie is cached, so that the SYN can carry
        data. Raises OSError: ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE, EMSGSIZE, and ENOBUFS
        above the budget's high mark.
        """
        try:
            path, port = self._find_way(local, remote, now, way)
        except OSError as error:
            self._tell_failed_open(remote, error)
            raise
        connection = self._make_connection((path.source, port), remote, path)
        if options is not connection.user_options:
            connection.set_options(options)
        connection.deferred = deferred or (options.fast_open_connect and fast_open.has_cookie(connection, now))
        if not connection.deferred:
            connection.open(now)
        return connection

    def _find_way(self, local: Address | None, remote: Address, now: float, way: Way | None) -> tuple[Path, int]:
        """The path and the local port of a connection to be."""
        if self.services.budget.full:
            self._counters.drop("tcp_open_no_memory")
            raise os_error(errno.ENOBUFS)
        source = None if local is None or local[0] == ANY else local[0]
        path = self._ip.output.path(source, remote[0], PROTO_TCP, df=True, now=now, way=way)
        try:
            if path.broadcast or path.multicast:  # MUST-46
                raise os_error(errno.ENETUNREACH)
            port = local[1] if local is not None else 0
            if port == 0:
                tail = remote[1].to_bytes(2, "big")
                chosen = self._ports.choose(
                    path.source + remote[0] + tail,
                    lambda p: (
                        self._may_be_listened_on(p)
                        or flow_key(remote[0], path.source, remote[1], p) in self.connections
                    ),
                )
                if chosen is None:
                    raise os_error(errno.EADDRNOTAVAIL)
                port = chosen
            elif flow_key(remote[0], path.source, remote[1], port) in self.connections:
                raise os_error(errno.EADDRNOTAVAIL)
        except OSError:
            path.close()
            raise
        return path, port

    def _tell_failed_open(self, remote: Address, error: OSError) -> None:
        """Tell observers of an OPEN that makes no connection."""
        if self.services.trace is None:
            return
        trace = self.services.trace.trace
        trace.tell("host:call", "host", "call_open", call="OPEN", remote=endpoint(remote))
        trace.tell("host:result", "host", "call_failed", call="OPEN", result=error_name(error.errno))

    def _device_of(self, address: bytes) -> int:
        owner = self._ip.owner(address)
        return -1 if owner is None else owner.index

    def _accept(self, local: Address, remote: Address, now: float, way: Way | None = None) -> Connection:
        """Make a connection for a listener. OSError: there is no route to the remote address."""
        return self._make_connection(
            local, remote, self._ip.output.path(local[0], remote[0], PROTO_TCP, df=True, now=now, way=way)
        )  # fmt: skip

    def _make_connection(self, local: Address, remote: Address, path: Path) -> Connection:
        connection = Connection(self.services, local, remote, path)
        path.user = connection
        if connection.key not in self.connections:  # otherwise its predecessor, in TIME-WAIT, has been counted
            self._local_ports[local[1]] = self._local_ports.get(local[1], 0) + 1
        self.connections[connection.key] = connection
        return connection

    def _closed(self, tcb: Tcb) -> None:
        if self.demux.remove(tcb):
            port = tcb.local[1]
            self._local_ports[port] -= 1
            if not self._local_ports[port]:
                del self._local_ports[port]
                if not self.connections:
                    self.on_none_left()
        self._deadlines.forget(tcb)

    def discard(self, tcb: Tcb, error: int) -> None:
        """Remove a connection whose `abort` has raised. Outstanding calls get the errno `error`."""
        if tcb.state is not State.CLOSED:
            tcb.state = State.CLOSED  # not by `enter`: its state may be wrong, and no transition may be legal
            tcb.error = error
            tcb.deadline = inf
        give_back(tcb)
        self._closed(tcb)
        tcb.path.close()
        for wake in (tcb.on_readable, tcb.on_writable):
            try:
                wake()
            except Exception:
                self._counters.drop("handler_failed")

    def shutdown(self, now: float, error: int) -> None:
        """End every listener and connection. Outstanding calls get the errno `error`."""
        for listener in self.demux.all_listeners():
            listener.close(now, error)
        for connection in list(self.connections.values()):
            connection.abort(now, error)

    # --- segments

    def receive(self, received: Received) -> None:
        """Take a segment: count it, verify its checksum, and hand it to `demux`.

        This is IP's handler of protocol 6.
        """
        counters = self._counters
        counters["tcpInSegs"] += 1
        payload = received.payload
        if received.broadcast:  # MUST-57
            counters.drop("tcp_not_unicast")
            return
        if not received.checksum_ok:
            pseudo = pseudo_sum(received.source, received.destination, PROTO_TCP, len(payload))
            if (pseudo + ones_sum(payload)) % 0xFFFF:
                counters["tcpInErrs"] += 1
                counters.drop("tcp_bad_checksum")
                return
        # The key of a truncated segment is too short, but `demux` drops that before it looks
        key = received.source + received.destination + bytes(payload[: PORTS.size])
        self.demux.receive(key, memoryview(payload), received.tos & CE == CE, received.now)

    def _send_reset(self, local: Address, remote: Address, header: bytes, now: float) -> None:
        source, destination = local[0], remote[0]
        checksum = internet_checksum(header, pseudo_sum(source, destination, PROTO_TCP, len(header)))
        header = header[:CHECKSUM_AT] + checksum.to_bytes(2, "big") + header[CHECKSUM_AT + 2 :]
        try:
            self._ip.output.send(source, destination, PROTO_TCP, [header], now, random_ident=True)
        except OSError:
            self._counters.drop("tcp_not_sent")

    def icmp_error(self, error: IcmpError, now: float) -> bool:
        """Take an ICMP error that quotes a segment; returns whether to believe it.

        See RFC 5927 sections 4 and 7.2. An error without an errno is a Redirect. For that only the
        quote is checked.
        """
        quoted = error.quoted
        local_port, remote_port = PORTS.unpack_from(quoted)  # our segment: its source is here
        remote, local = error.quoted_destination, error.quoted_source
        connection = self.connections.get(flow_key(remote, local, remote_port, local_port))
        if connection is None:
            return False
        if self.services.trace is not None:
            self.services.trace.icmp_taken(connection, error.because(), error.told())
        seq = int.from_bytes(quoted[SEQ_AT : SEQ_AT + 4], "big")
        if not error.errno:
            return connection.may_have_sent(seq)
        if error.next_hop_mtu:
            return connection.packet_too_big(error.next_hop_mtu, seq)
        return connection.icmp_error(error.errno, error.hard, seq, now)

    def connection_of(self, packet: memoryview) -> Connection | None:
        """The connection of a packet that begins with its IP header, or None.

        The packet is not checked otherwise.
        """
        if len(packet) < HEADER_LENGTH or packet[PROTOCOL_AT] != PROTO_TCP:
            return None
        source, destination = ADDRESSES.unpack_from(packet)
        ports = (packet[0] & 0x0F) * 4  # after the IP options, if there are any
        if len(packet) < ports + PORTS.size:
            return None
        return self.connections.get(flow_key(source, destination, *PORTS.unpack_from(packet, ports)))

    def abort_where(self, gone: Callable[[Connection], bool], now: float, error: int) -> None:
        """Abort the connections for which `gone` is true: their interface or address is gone."""
        for _ in range(2):  # the second time for connections that the first has restored to TIME-WAIT
            for connection in [c for c in self.connections.values() if gone(c)]:
                connection.abort(now, error)

    def resumed(self, asleep_s: float, now: float) -> None:
        """The machine was suspended for `asleep_s` seconds: see `HostCore.resumed`."""
        for connection in list(self.connections.values()):
            suspended(connection, asleep_s, now)

    def tables(self) -> dict[str, int]:
        """The number of entries in each table of TCP."""
        listeners = self.demux.all_listeners()
        return {
            "connections": len(self.connections),
            "listeners": len(listeners),
            "half_open": sum(listener.half_open for listener in listeners),
            "not_accepted": sum(listener.not_accepted for listener in listeners),
            "local_ports": len(self._local_ports),
            "reserved_ports": sum(map(len, self._reserved.values())),
            "deadlines": len(self._deadlines),
            "touched": len(self.services.touched),
            "fast_open_servers": len(self.services.cookie_cache),
            "fast_open_resets": sum(len(listener.fast_open) for listener in listeners),
        }

    def established(self) -> int:
        """tcpCurrEstab of RFC 4022: connections in ESTABLISHED or CLOSE-WAIT."""
        return sum(c.state in (State.ESTABLISHED, State.CLOSE_WAIT) for c in self.connections.values())


def _overlap(a: bytes, b: bytes) -> bool:
    """Whether two local addresses of the same port conflict: they are equal, or one is ANY."""
    return a == b or ANY in (a, b)


def check_congestion(config: TcpConfig) -> None:
    """ValueError if `congestion` names no policy."""
    if config.congestion not in POLICIES:
        known = ", ".join(POLICIES)
        raise ValueError(f"TcpConfig.congestion must be one of {known}, not {config.congestion!r}")
