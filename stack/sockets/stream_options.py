"""The options of a TCP socket, which hold for its connection or for the connections to come.

See getsockopt in POSIX.1-2017, and socket(7) and tcp(7) for Linux.
"""

from __future__ import annotations

import errno
import socket as stdlib

from stack.internet.path import ChosenWay
from stack.socket_option import C_UNSIGNED_MAX, Option, Value
from stack.sockets import options
from stack.sockets.options import fail
from stack.sockets.runner import Runner
from stack.sockets.socket import Socket
from stack.tcp.connection import Connection
from stack.tcp.info import tcp_info
from stack.tcp.listener import Listener
from stack.tcp.options import (
    FAST_OPEN_CONNECT,
    KEEPALIVE_IDLE,
    MAXSEG,
    NODELAY,
    NOTSENT_LOWAT,
    WINDOW_CLAMP,
    UserOption,
    UserOptions,
)
from stack.tcp.states import State
from stack.tcp.tcb import DEFAULT_SEND_MSS


class StreamOptions(Socket):
    """A TCP socket with its options. `StreamSocket` adds the calls."""

    __slots__ = (
        "_bound", "_broadcast", "_connect_failed", "_connection", "_fast_open_pending", "_listener", "_options",
        "_reuse_address",
    )  # fmt: skip

    _option_table = options.STREAM

    def __init__(self, runner: Runner, proto: int) -> None:
        super().__init__(runner, stdlib.SOCK_STREAM, proto)
        self._bound: tuple[bytes, int] | None = None
        self._listener: Listener | None = None
        self._connection: Connection | None = None
        # For the connections to come, of `connect` or of a listener
        self._options: UserOptions = runner.core.tcp.socket_options
        self._reuse_address = self._broadcast = False
        self._fast_open_pending = 0  # for a listener: RFC 7413 appendix A.2
        self._connect_failed = False  # `_connection` is that of a failed attempt; `connect` may be called again

    def _path_mtu(self) -> int:
        connection = self._connection
        return fail(errno.ENOTCONN) if connection is None or connection.state is State.CLOSED else connection.path.mtu

    def _device(self) -> int | None:
        index = self._kept.get("device")
        return None if index is None or index < 0 else int(index)

    def _set_device(self, index: int) -> None:
        """Set the interface. OSError(EINVAL) for a connection or a listener, which has its way."""
        if index == self._kept.get("device", -1):
            return
        self._check_not_connected()
        if self._listener is not None:
            fail(errno.EINVAL)
        self._kept = {**self._kept, "device": index}

    def _way(self) -> ChosenWay | None:
        """What SO_BINDTODEVICE and SO_DONTROUTE ask of connections."""
        direct, device = bool(self._kept.get("direct")), self._device()
        return ChosenWay(direct, device) if direct or device is not None else None

    def _get_option(self, option: Option) -> Value | bytes:
        connection = self._connection
        if option.name == "info":
            core = self._runner.core
            now = core.now if self._runner.down else self._runner.time()
            return tcp_info(connection, self._listener, core.config.tcp, now)
        if option is MAXSEG and connection is not None:
            return connection.mss
        if isinstance(option, UserOption):
            value = option.get(self._options if connection is None else connection.options_in_use())
            if option is MAXSEG:
                return value or DEFAULT_SEND_MSS
            if option.default is not None and not value:
                config = self._runner.core.tcp.services.config if connection is None else connection.config
                return option.default(config)
            if option is NOTSENT_LOWAT and value == self._runner.core.config.tcp.notsent_lowat_bytes:
                return C_UNSIGNED_MAX
            return value
        if option.name == "error":
            return connection.take_error() if connection is not None else 0
        values: dict[str, Value] = {
            "accepting": self._listener is not None,
            "reuse_address": self._reuse_address,
            **dict.fromkeys(("reuse_port", "direct", "free"), 0),
            **self._kept,
            "broadcast": self._broadcast,
            "fast_open_pending": self._fast_open_pending,
        }
        return values[option.name]

    def _set_option(self, option: Option, value: Value) -> None:
        if option is FAST_OPEN_CONNECT:
            if not self._runner.core.config.tcp.fast_open_client:
                fail(errno.EOPNOTSUPP)
            self._check_not_connected()
            self._check_not_listening()
            self._options = self._runner.core.tcp.with_option(self._options, FAST_OPEN_CONNECT, value)
        elif isinstance(option, UserOption):
            if option is WINDOW_CLAMP and not value:  # as in Linux, which has chosen one by then
                self._check_not_connected()
                self._check_not_listening()
            self._set_user_option(option, value)
        elif option.name == "reuse_address":
            self._set_reuse(bool(value), bool(self._kept.get("reuse_port")))
        elif option.name in ("direct", "free"):
            self._kept = {**self._kept, option.name: value}
        elif option.name == "reuse_port":
            self._set_reuse(self._reuse_address, bool(value))
        elif option.name == "broadcast":
            self._broadcast = bool(value)
        elif option.name == "fast_open_pending":
            self._check_not_connected()
            self._fast_open_pending = int(min(value or 0, self._runner.core.config.tcp.fast_open_max_pending))
            if self._listener is not None:
                self._listener.fast_open.limit = self._fast_open_pending

    def _set_reuse(self, address: bool, port: bool) -> None:
        old = self._reuse_address, bool(self._kept.get("reuse_port"))
        self._reuse_address = address
        if port != old[1]:  # a socket without a `_kept` of its own is smaller
            self._kept = {**self._kept, "reuse_port": port}
        if self._bound is not None:
            self._runner.core.tcp.set_reuse(self._bound, old, (address, port))

    def _set_user_option(self, option: UserOption, value: Value) -> None:
        """Set an option of the connections to come, or of the one that is there."""
        with_option, connection = self._runner.core.tcp.with_option, self._connection
        if option in (options.RCVBUF, options.SNDBUF):
            value = self._runner.buffer_size(value)
        elif option is options.RCVLOWAT:
            value = min(value or 1, self._most_to_wait_for())
        elif option is options.TTL and value is None:
            value = self._runner.core.config.ip.ttl
        if connection is None or self._connect_failed or connection.is_connecting:  # for a later attempt
            self._options = with_option(self._options, option, value)
            if self._listener is not None:
                self._listener.options = self._options
        if connection is not None:
            if self._runner.down:
                fail(errno.ENETDOWN)
            wanted = with_option(connection.user_options, option, value)
            connection.set_options(wanted)
            if connection.send_buffer.size or option.acts_at_once(wanted):
                now = self._runner.now()
                keepalive_idle, nodelay = option is KEEPALIVE_IDLE, option is NODELAY and bool(value)
                connection.options_changed(now, keepalive_idle=keepalive_idle, nodelay=nodelay)
                self._runner.after_call(now)

    def _most_to_wait_for(self) -> int:
        """As in Linux, SO_RCVLOWAT is at most half of the receive buffer, at its largest."""
        connection = self._connection
        user_options = self._options if connection is None else connection.user_options
        if user_options.auto_rcvbuf:
            return self._runner.core.config.tcp.max_receive_buffer_bytes // 2
        return user_options.rcvbuf // 2

    def _check_not_listening(self) -> None:
        if self._listener is not None:
            fail(errno.EINVAL)

    def _check_not_connected(self) -> None:
        if self._connection is not None and not self._connect_failed:
            fail(errno.EINVAL)
