"""The DHCP client of one interface: RFC 2131 section 4.4, state by state.

The client acts on its host through `ClientHost`. It counts each message that it does not accept
(`dhcp_...` in `stack.counters.DROPS`). There is one deadline, whose meaning follows from the state.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from stack.config import DhcpConfig
from stack.counters import Counters
from stack.dhcp import backoff, choice
from stack.dhcp.client_host import ClientHost
from stack.dhcp.lease import Lease
from stack.dhcp.messages import Writer, accept
from stack.dhcp.parameters import Parameters, server_of
from stack.dhcp.states import HOLDING, Event, State, next_state
from stack.errors import BadPacket
from stack.noop import noop
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.dhcp import DhcpMessage


class Client:
    """Gets an address for one interface and keeps it.

    The arguments are the configuration, the host's counters, the interface's station address and
    MTU, a source of random bytes, the host, and the host's DUID (RFC 4361 section 6.1). The DUID is
    stable for the machine and the same on each interface. Without one, it is made from the station
    address.

    These attributes may be read at any time: `state`, `lease` (in use), `remembered` (the lease
    asked for first, next time), `offers` (in order of arrival) and `deadline`. `reschedule` is
    called when the deadline has moved. `trace`, if set, is called with the name and the fields of
    each event: send, receive, drop, state, offer, choice, probe, conflict, bound, unbound, wait,
    note.
    """

    def __init__(
        self,
        config: DhcpConfig,
        counters: Counters,
        mac: bytes,
        mtu: int,
        random: Callable[[int], bytes],
        host: ClientHost,
        *,
        duid: bytes | None = None,
    ) -> None:
        self.state = State.STOPPED
        self.lease: Lease | None = None
        self.remembered: Lease | None = None
        self.offers: tuple[Lease, ...] = ()
        self.deadline = inf
        self.reschedule: Callable[[], None] = noop
        self.trace: Callable[[str, dict[str, object]], None] | None = None
        self._config = config
        self._counters = counters
        self._random = random
        self._host = host
        self._writer = Writer(config, mac, mtu, duid)
        self._parameters = Parameters(config, mtu, self._note)
        self._requested: bytes | None = None
        self._informed_address = ANY
        self._inform_server: bytes | None = None
        # The current exchange
        self._xid = 0
        self._began = 0.0  # the time at which the acquisition or renewal began, for `secs`
        self._secs = 0  # of the latest DHCPDISCOVER: a DHCPREQUEST for an offer repeats it (section 3.1 step 3)
        self._sent_at = 0.0  # the time of the request from which a lease is timed
        self._attempt = 0
        self._chosen: Lease | None = None  # the offer that is requested
        self._probing: Lease | None = None  # acknowledged; its address is being probed
        self._doubted = False  # a server that the lease is not from has refused it
        # The failures since the last lease
        self._failures: dict[bytes, int] = {}
        self._refusals = 0
        self._conflicts = 0
        self._silent = False

    # --- calls of the user

    def start(self, now: float, remembered: Lease | None = None, *, requested: bytes | None = None) -> None:
        """Ask for an address.

        A remembered lease that has not expired is asked for again (section 4.4.2), otherwise any
        address is (section 4.4.1). `requested` is an address to suggest to the server. RuntimeError
        unless the client is stopped.
        """
        self._must_be_stopped()
        self.remembered, self._requested = remembered, requested
        self._forget_failures()
        self._began = now
        if remembered is not None and now < remembered.expires_at and requested in (None, remembered.address):
            self._enter(Event.START, State.INIT_REBOOT)
            self._reboot(now)
        else:
            self._enter(Event.START, State.INIT)
            self._wait(backoff.between(self._config.startup_delay_s, self._random), "start", now)

    def inform(self, address: bytes, now: float, server: bytes | None = None) -> None:
        """Ask for parameters only: `address` was configured by other means (section 4.4.3).

        `server` is asked first; None asks any server. RuntimeError unless the client is stopped.
        """
        self._must_be_stopped()
        self._informed_address, self._inform_server = address, server
        self._began, self._attempt = now, 0
        self._xid = self._new_xid()
        self._enter(Event.INFORM)
        self._send_inform(now)

    def renew(self, now: float) -> None:
        """Extend the lease before T1, in state BOUND only. Section 4.4.5 allows it."""
        if self.state is State.BOUND and self.lease is not None and self.lease.lease_s < inf:
            self._start_renewing(now)

    def release(self, now: float) -> None:
        """Give the address back (section 4.4.6) and stop."""
        if self.state is State.STOPPED:
            return
        lease = self.lease
        self._stop(now)
        if lease is not None:
            message = self._writer.release(self._new_xid(), lease.address, lease.server, "released")
            self._unicast(message, lease.address, lease.server, now)
            self._lose(lease, "released", now)

    def stop(self, now: float) -> None:
        """Stop without a DHCPRELEASE. `lease` stays valid and can be passed to the next `start`."""
        self._stop(now)

    def link_changed(self, now: float, asleep_s: float = 0.0) -> None:
        """The network may have changed: verify the address, which stays in use meanwhile.

        See section 3.7. `asleep_s` is the time for which the machine was suspended. `now` does not
        include it, so the leases are made older by it.
        """
        self._silent = False
        if asleep_s:
            self.lease = None if self.lease is None else self.lease.shifted(-asleep_s)
            self.remembered = None if self.remembered is None else self.remembered.shifted(-asleep_s)
        verified = self.lease or self.remembered
        asked = self.state in HOLDING or self.state is State.REBOOTING
        if asked and verified is not None and now >= verified.expires_at:
            self._expire(now)
        elif asked:
            self._cancel_probe(now)
            self._enter(Event.LINK_CHANGED)
            self._began = now
            self._reboot(now)
        elif self.state in (State.SELECTING, State.REQUESTING):
            self._cancel_probe(now)
            self._enter(Event.LINK_CHANGED)
            self._began = now
            self._discover_first(now)

    # --- events from the network

    def probed(self, address: bytes, conflict: bytes | None, now: float) -> None:
        """The answer to `ClientHost.probe`: the station that has the address, or None."""
        lease = self._probing
        if lease is None or lease.address != address:
            return
        self._probing = None
        if conflict is None:
            self._bind(lease, now)
            return
        self._say("conflict", address=address, mac=conflict)
        self._decline(lease, now)

    def conflict(self, address: bytes, now: float) -> None:
        """Another host took the address after we did, and we gave it up (RFC 5227 section 2.4)."""
        lease = self.lease
        if self.state is not State.STOPPED and lease is not None and lease.address == address:
            self._cancel_probe(now)
            self._decline(lease, now)

    def receive(self, payload: Buffer, source: tuple[bytes, int], destination: bytes, now: float) -> None:
        """Take the payload of a UDP datagram to port 68, broadcast or not. Never raises.

        `source` is ignored: it may be a relay's, and the server identifier names the server
        (section 4.1).
        """
        message = None
        try:
            message = accept(payload, self._writer.mac, self._writer.size_max)
            self._expected(message)
            self._say("receive", message=message)
            if message.message_type == dhcp.OFFER:
                self._offer(message, now)
            elif message.message_type == dhcp.ACK:
                self._ack(message, now)
            else:
                self._nak(message, now)
        except BadPacket as error:
            self._counters.drop(error.reason)
            self._say("drop", reason=error.reason, message=message)

    def on_deadline(self, now: float) -> None:
        """Take the action that is due."""
        if now < self.deadline:
            return
        if self._probing is not None or (self.lease is not None and now >= self.lease.expires_at):
            self._expire(now)
        elif self._doubted:
            self._refused(now)
        elif self.state is State.INIT:
            self._discover_first(now)
        elif self.state is State.SELECTING:
            if self.offers:
                self._select(now)
            else:
                self._no_offer(now)
        elif self.state is State.REQUESTING:
            self._request_again(now)
        elif self.state is State.REBOOTING:
            self._reboot_again(now)
        elif self.state is State.INFORMING:
            self._inform_again(now)
        elif self.state is State.BOUND:
            self._start_renewing(now)
        elif self.lease is not None:  # RENEWING, REBINDING
            if self.state is State.RENEWING and now >= self.lease.rebind_at:
                self._enter(Event.T2)
            self._send_renewal(self.lease, now)

    # --- INIT and SELECTING: 4.4.1

    def _discover_first(self, now: float) -> None:
        self._enter(Event.SND_DISCOVER)
        self._xid = self._new_xid()
        self._attempt = 0
        self.offers, self._chosen = (), None
        self._discover(now)

    def _discover(self, now: float) -> None:
        self._attempt += 1
        self._secs = int(now - self._began)
        self._sent_at = now
        message = self._writer.discover(self._xid, self._secs, self._wanted())
        self._arm(now + backoff.retransmission_s(self._attempt, self._config, self._random))
        self._broadcast(message, ANY, now)

    def _no_offer(self, now: float) -> None:
        tell = self._attempt == self._config.silent_after_attempts
        self._discover(now)
        if tell:
            self._report_silence(now)

    def _report_silence(self, now: float) -> None:
        """Report once that no server gives us an address that we can use.

        Servers do not answer, refuse what they offered, or offer addresses that other hosts have.
        """
        if not self._silent:
            self._silent = True
            self._host.silent(now)

    def _wanted(self) -> bytes | None:
        """The address to suggest."""
        if self._requested is not None or self.remembered is None:
            return self._requested
        return self.remembered.address

    def _offer(self, message: DhcpMessage, now: float) -> None:
        if len(self.offers) >= self._config.offers_max:
            raise BadPacket("dhcp_too_many_offers")
        offer = self._parameters.lease(message, self._sent_at)
        self.offers += (offer,)
        self._say("offer", lease=offer)
        if choice.at_once(offer, self._wanted(), self._failures) or self._config.offer_window_s <= 0:
            self._select(now)
        elif len(self.offers) == 1:
            self._arm(now + self._config.offer_window_s)

    def _select(self, now: float) -> None:
        server = None if self.remembered is None else self.remembered.server
        self._chosen, rule = choice.best(self.offers, self._wanted(), server, self._failures)
        self._say("choice", lease=self._chosen, rule=rule)
        self._enter(Event.SELECT_OFFER)
        self._attempt = 0
        self._sent_at = now  # "the time at which the original request was sent"
        self._request(self._chosen, now)

    # --- REQUESTING

    def _request(self, chosen: Lease, now: float) -> None:
        self._attempt += 1
        message = self._writer.request_offer(self._xid, self._secs, chosen.address, chosen.server)
        self._arm(now + backoff.retransmission_s(self._attempt, self._config, self._random))
        self._broadcast(message, ANY, now)

    def _request_again(self, now: float) -> None:
        if self._chosen is not None and self._attempt < self._config.request_attempts:
            tell = self._attempt == self._config.silent_after_attempts
            self._request(self._chosen, now)
            if tell:
                self._report_silence(now)
            return
        self._enter(Event.UNANSWERED)
        if self._chosen is not None:
            self._count_failure(self._chosen.server)
        self._restart(0.0, "", now)

    # --- INIT-REBOOT and REBOOTING: 4.4.2

    def _reboot(self, now: float) -> None:
        self._enter(Event.SND_REQUEST)
        self._xid = self._new_xid()
        self._attempt = 0
        self._sent_at = now
        self._send_reboot(now)

    def _send_reboot(self, now: float) -> None:
        assert self.remembered is not None
        self._attempt += 1
        message = self._writer.request_remembered(self._xid, int(now - self._began), self.remembered.address)
        self._arm_for_lease(now + backoff.retransmission_s(self._attempt, self._config, self._random))
        self._broadcast(message, ANY, now)

    def _reboot_again(self, now: float) -> None:
        if self._attempt < self._config.reboot_attempts:
            self._send_reboot(now)
        elif self.lease is not None:  # section 3.7: the lease may be used until it expires
            self._enter(Event.UNANSWERED, State.BOUND)
            self._arm(self.lease.renew_at)
        else:
            self._enter(Event.UNANSWERED, State.INIT)
            self._restart(0.0, "", now)

    # --- BOUND, RENEWING and REBINDING: 4.4.5

    def _start_renewing(self, now: float) -> None:
        assert self.lease is not None
        self._began, self._attempt = now, 0
        self._enter(Event.T1)
        if now >= self.lease.rebind_at:
            self._enter(Event.T2)
        self._send_renewal(self.lease, now)

    def _send_renewal(self, lease: Lease, now: float) -> None:
        """Send a request with a new xid.

        The acknowledgment then shows which request it answers, and so from when the lease counts.
        """
        renewing = self.state is State.RENEWING
        self._xid = self._new_xid()
        self._attempt += 1
        self._sent_at = now
        end = lease.rebind_at if renewing else lease.expires_at
        message = self._writer.request_more_time(self._xid, int(now - self._began), lease.address)
        self._arm(min(end, now + backoff.renewal_s(end - now, self._config)))
        if renewing:
            self._unicast(message, lease.address, lease.server, now)
        else:
            self._broadcast(message, lease.address, now)

    def _expire(self, now: float) -> None:
        """The lease has expired: the one in use, or one whose address is still being probed."""
        self._cancel_probe(now)
        self._enter(Event.EXPIRED)
        if self.lease is not None:
            self._lose(self.lease, "expired", now)
        self._restart(0.0, "", now)

    # --- INFORMING: 4.4.3

    def _send_inform(self, now: float) -> None:
        self._attempt += 1
        self._sent_at = now
        address, server = self._informed_address, self._inform_server
        message = self._writer.inform(self._xid, int(now - self._began), address)
        self._arm(now + backoff.retransmission_s(self._attempt, self._config, self._random))
        # 4.4.4: if the known server does not answer, ask any server
        if server is not None and self._attempt == 1:
            self._unicast(message, address, server, now)
        else:
            self._broadcast(message, address, now)

    def _inform_again(self, now: float) -> None:
        if self._attempt < self._config.request_attempts:
            self._send_inform(now)
            return
        self._enter(Event.UNANSWERED)
        self._arm(inf)
        self._host.silent(now)

    # --- messages of servers

    def _expected(self, message: DhcpMessage) -> None:
        """Raise BadPacket unless the message may be the answer to our last message."""
        kind = message.message_type
        if kind == dhcp.OFFER:
            expected = self.state is State.SELECTING
        elif self.state is State.INFORMING:
            expected = kind == dhcp.ACK
        else:
            waiting = (State.REQUESTING, State.REBOOTING, State.RENEWING, State.REBINDING)
            expected = self.state in waiting and self._probing is None
        if not expected:
            raise BadPacket("dhcp_unexpected")
        if message.xid != self._xid:
            raise BadPacket("dhcp_other_transaction")
        identifier = message.values().get(dhcp.CLIENT_IDENTIFIER)
        if identifier is not None and identifier != self._writer.identifier:
            raise BadPacket("dhcp_other_identifier")
        self._check_server(server_of(message.values()))

    def _check_server(self, server: bytes) -> None:
        """Raise BadPacket if the message comes from a server that was not asked.

        In SELECTING, REBOOTING, REBINDING and INFORMING all servers were asked.
        """
        if self.state is State.REQUESTING:
            asked = self._chosen
        elif self.state is State.RENEWING:
            asked = self.lease
        else:
            return
        if asked is not None and server != asked.server:
            raise BadPacket("dhcp_other_server")

    def _ack(self, message: DhcpMessage, now: float) -> None:
        if self.state is State.INFORMING:
            lease = self._parameters.informed(message, self._informed_address, self._sent_at)
            self._enter(Event.RCV_ACK)
            self._arm(inf)
            self._host.informed(lease, now)
            return
        fuzz = backoff.uniform(self._random), backoff.uniform(self._random)
        asked = self._asked_for()
        extended = None if self.state is State.REQUESTING else asked
        lease = self._parameters.lease(message, self._sent_at, fuzz, extended)
        if asked is not None and lease.address != asked.address:
            raise BadPacket("dhcp_other_address")
        if now >= lease.expires_at:
            raise BadPacket("dhcp_lease_over")
        if self.state in (State.RENEWING, State.REBINDING):
            self._bind(lease, now)
            return
        self._doubted = False
        self._probing = lease
        self._arm_for_lease(lease.expires_at)
        self._say("probe", address=lease.address)
        self._host.probe(lease.address, now)

    def _bind(self, lease: Lease, now: float) -> None:
        previous, self.lease, self.remembered = self.lease, lease, lease
        self._requested = None
        self._forget_failures()
        self._enter(Event.RCV_ACK)
        self._arm(lease.renew_at)
        self._say("bound", lease=lease)
        self._host.bound(lease, previous, now)

    def _nak(self, message: DhcpMessage, now: float) -> None:
        """A server refuses our request.

        In REBOOTING and REBINDING all servers were asked. If another server than that of the lease
        refuses first, we wait `nak_doubt_s`: the server of the lease may still acknowledge.
        """
        server = server_of(message.values())
        if self.state is State.REQUESTING:
            self._count_failure(server)
        lease = self.lease or self.remembered
        if self.state in (State.REBOOTING, State.REBINDING) and lease is not None and lease.server != server:
            if not self._doubted:
                self._note(
                    f"{format_ipv4(server)} refuses the lease of {format_ipv4(lease.server)}:"
                    " waiting for the latter's answer"
                )
                self._doubted = True
                self._arm_for_lease(now + self._config.nak_doubt_s)
            return
        self._refused(now)

    def _refused(self, now: float) -> None:
        asked = self._asked_for()
        self._enter(Event.RCV_NAK)
        self._refusals += 1
        self._give_up(asked, "nak", now)
        self._restart(backoff.refusal_s(self._refusals, self._config), "refusal", now)

    def _decline(self, lease: Lease, now: float) -> None:
        """Another host has the address: give it up, then send a DHCPDECLINE."""
        self._enter(Event.CONFLICT)
        self._conflicts += 1
        self._count_failure(lease.server)
        self._give_up(lease, "conflict", now)
        message = self._writer.decline(self._new_xid(), lease.address, lease.server, "the address is in use")
        self._broadcast(message, ANY, now)
        config = self._config
        seconds = config.decline_wait_s if self._conflicts < config.conflicts_max else config.conflict_wait_s
        self._restart(seconds, "conflict", now)

    def _give_up(self, asked: Lease | None, reason: str, now: float) -> None:
        """We cannot have this address: stop using it, and do not ask for it again."""
        remembered, self.remembered, self._requested = self.remembered, None, None
        if self.lease is not None:
            self._lose(self.lease, reason, now)
        elif remembered is not None and asked is not None and asked.address == remembered.address:
            self._host.denied(remembered, reason, now)

    def _asked_for(self) -> Lease | None:
        """The lease that the latest DHCPREQUEST asks for."""
        return self._chosen if self.state is State.REQUESTING else self.lease or self.remembered

    # --- steps shared by the states

    def _restart(self, seconds: float, after: str, now: float) -> None:
        """Begin again after `seconds`, unless the host has stopped the client in a callback."""
        if self.state is State.INIT:
            self._wait(seconds, after, now)
            if self._refusals + self._conflicts >= self._config.silent_after_failures:
                self._report_silence(now)

    def _wait(self, seconds: float, after: str, now: float) -> None:
        """Send nothing for `seconds`, after a "start", a "refusal" or a "conflict"."""
        if seconds <= 0:
            self._discover_first(now)
            return
        self._say("wait", seconds=seconds, after=after)
        self._arm(now + seconds)

    def _lose(self, lease: Lease, reason: str, now: float) -> None:
        self.lease = None
        self._began = now
        self._say("unbound", lease=lease, end=reason)
        self._host.unbound(lease, reason, now)

    def _stop(self, now: float) -> None:
        if self.state is not State.STOPPED:
            self._cancel_probe(now)
            self._enter(Event.STOP)
            self._arm(inf)

    def _cancel_probe(self, now: float) -> None:
        lease, self._probing = self._probing, None
        if lease is not None:
            self._host.cancel_probe(lease.address, now)

    def _must_be_stopped(self) -> None:
        if self.state is not State.STOPPED:
            raise RuntimeError(f"the DHCP client is in state {self.state.name}: stop it first")
        self.lease = None

    def _forget_failures(self) -> None:
        self._failures.clear()
        self._refusals = self._conflicts = 0
        self._silent = False

    def _count_failure(self, server: bytes) -> None:
        if server in self._failures or len(self._failures) < self._config.servers_max:
            self._failures[server] = self._failures.get(server, 0) + 1

    def _new_xid(self) -> int:
        return int.from_bytes(self._random(4), "big")

    def _enter(self, event: Event, to: State | None = None) -> None:
        self._doubted = False
        before, self.state = self.state, next_state(self.state, event, to)
        self._say("state", **{"from": before.name, "to": self.state.name, "event": event.name})

    def _arm_for_lease(self, deadline: float) -> None:
        """Set the deadline, at most to the time at which the lease in use expires."""
        self._arm(deadline if self.lease is None else min(deadline, self.lease.expires_at))

    def _arm(self, deadline: float) -> None:
        self.deadline = deadline
        self.reschedule()

    def _broadcast(self, message: DhcpMessage, source: bytes, now: float) -> None:
        self._say("send", message=message, to=BROADCAST, attempt=self._attempt)
        self._host.broadcast(message.build(), source, now)

    def _unicast(self, message: DhcpMessage, source: bytes, server: bytes, now: float) -> None:
        self._say("send", message=message, to=server, attempt=self._attempt)
        self._host.unicast(message.build(), source, server, now)

    def _note(self, text: str) -> None:
        self._say("note", text=text)

    def _say(self, what: str, **fields: object) -> None:
        if self.trace is not None:
            self.trace(what, fields)
