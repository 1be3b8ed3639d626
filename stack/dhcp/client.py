"""The DHCP client of one interface: RFC 2131 section 4.4, state by state.

What the client wants of its host it says through `Below`; what it does not believe it counts (`dhcp_...` in
`stack.counters.DROPS`). There is one deadline; what it means follows from the state.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from stack.config import DhcpConfig
from stack.counters import Counters
from stack.dhcp import backoff, choice
from stack.dhcp.below import Below
from stack.dhcp.lease import Lease
from stack.dhcp.messages import Writer, accept
from stack.dhcp.parameters import Parameters, server_of
from stack.dhcp.states import HOLDING, Event, State, next_state
from stack.errors import BadPacket
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, format_ipv4
from stack.wire.checksum import Buffer
from stack.wire.dhcp import DhcpMessage


def _nothing() -> None:
    pass


class Client:
    """Gets an address and keeps it.

    Give it at birth: the configuration, the host's counters, the interface's station address and MTU, a source of
    random bytes, the host, and its DUID (RFC 4361 section 6.1), stable for the machine and the same on each interface;
    without one it is made of the station address.

    `state`, `lease` (what is held), `remembered` (what is asked for first, next time), `offers` (in order of arrival)
    and `deadline` may be read at any time. `reschedule` is called when the deadline has moved. `trace`, if set, hears
    of everything that happens: send, receive, drop, state, offer, choice, probe, conflict, bound, unbound, wait, note.
    """

    def __init__(
        self,
        config: DhcpConfig,
        counters: Counters,
        mac: bytes,
        mtu: int,
        random: Callable[[int], bytes],
        below: Below,
        *,
        duid: bytes | None = None,
    ) -> None:
        self.state = State.STOPPED
        self.lease: Lease | None = None
        self.remembered: Lease | None = None
        self.offers: tuple[Lease, ...] = ()
        self.deadline = inf
        self.reschedule: Callable[[], None] = _nothing
        self.trace: Callable[[str, dict[str, object]], None] | None = None
        self._config = config
        self._counters = counters
        self._random = random
        self._below = below
        self._writer = Writer(config, mac, mtu, duid)
        self._parameters = Parameters(config, mtu, self._note)
        self._wish: bytes | None = None
        self._informed_address = ANY
        self._inform_server: bytes | None = None
        # The exchange under way
        self._xid = 0
        self._began = 0.0  # when the acquisition or renewal did, for `secs`
        self._secs = 0  # of the latest DHCPDISCOVER: a DHCPREQUEST for an offer repeats it (section 3.1 step 3)
        self._sent_at = 0.0  # the request from which a lease is timed
        self._attempt = 0
        self._chosen: Lease | None = None  # the offer that is requested
        self._probing: Lease | None = None  # acknowledged, but another host may have its address
        self._doubted = False  # refused, but by a server that the lease is not from
        # What went wrong since there was a lease
        self._let_down: dict[bytes, int] = {}
        self._refusals = 0
        self._conflicts = 0
        self._silent = False

    # --- what the user does -------------------------------------------------------------------------------------------

    def start(self, now: float, remembered: Lease | None = None, *, wish: bytes | None = None) -> None:
        """Ask for an address: again for a remembered one that has not run out (section 4.4.2), or for any (4.4.1).

        `wish` is an address to suggest. RuntimeError unless the client is stopped.
        """
        self._must_be_stopped()
        self.remembered, self._wish = remembered, wish
        self._forget_failures()
        self._began = now
        if remembered is not None and now < remembered.expires_at and wish in (None, remembered.address):
            self._enter(Event.START, State.INIT_REBOOT)
            self._reboot(now)
        else:
            self._enter(Event.START, State.INIT)
            self._wait(
                backoff.between(self._config.startup_delay_s, self._random), "so that not all hosts ask at once", now
            )

    def inform(self, address: bytes, now: float, server: bytes | None = None) -> None:
        """Ask for the parameters that go with an address from elsewhere (section 4.4.3), of one server or of any.

        RuntimeError unless the client is stopped.
        """
        self._must_be_stopped()
        self._informed_address, self._inform_server = address, server
        self._began, self._attempt = now, 0
        self._xid = self._new_xid()
        self._enter(Event.INFORM)
        self._send_inform(now)

    def renew(self, now: float) -> None:
        """Extend the lease before T1 (section 4.4.5 allows it). Only in BOUND; nothing happens in other states."""
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
        """Stop without a word: the lease goes on for the server, and `lease` can be kept for the next start."""
        self._stop(now)

    def link_changed(self, now: float, asleep_s: float = 0.0) -> None:
        """The network may be another one (section 3.7): verify the address, which stays in use meanwhile.

        `asleep_s` is how long the machine was suspended, which `now` does not show: leases have grown older by it.
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

    # --- what the network shows ---------------------------------------------------------------------------------------

    def probed(self, address: bytes, conflict: bytes | None, now: float) -> None:
        """The answer to `Below.probe`: the station address of whoever has the address, or None."""
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
        """Another host took the address later, and it was given up: RFC 5227 section 2.4."""
        lease = self.lease
        if self.state is not State.STOPPED and lease is not None and lease.address == address:
            self._cancel_probe(now)
            self._decline(lease, now)

    def receive(self, payload: Buffer, source: tuple[bytes, int], destination: bytes, now: float) -> None:
        """Take the payload of a UDP datagram to port 68, broadcast or not. Never raises.

        `source` is not looked at: servers are known by their identifiers (section 4.1), and relays are between.
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
        """Do what is due."""
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

    # --- INIT and SELECTING: 4.4.1 ------------------------------------------------------------------------------------

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
            self._tell_of_silence(now)

    def _tell_of_silence(self, now: float) -> None:
        """Nobody answers, or who offers does not keep it, or others have what is offered: told once."""
        if not self._silent:
            self._silent = True
            self._below.silent(now)

    def _wanted(self) -> bytes | None:
        """The address to suggest."""
        if self._wish is not None or self.remembered is None:
            return self._wish
        return self.remembered.address

    def _offer(self, message: DhcpMessage, now: float) -> None:
        if len(self.offers) >= self._config.offers_max:
            raise BadPacket("dhcp_too_many_offers")
        offer = self._parameters.lease(message, self._sent_at)
        self.offers += (offer,)
        self._say("offer", lease=offer)
        if choice.at_once(offer, self._wanted(), self._let_down) or self._config.offer_window_s <= 0:
            self._select(now)
        elif len(self.offers) == 1:
            self._arm(now + self._config.offer_window_s)

    def _select(self, now: float) -> None:
        server = None if self.remembered is None else self.remembered.server
        self._chosen, because = choice.best(self.offers, self._wanted(), server, self._let_down)
        self._say("choice", lease=self._chosen, because=because)
        self._enter(Event.SELECT_OFFER)
        self._attempt = 0
        self._sent_at = now  # "the time at which the original request was sent"
        self._request(self._chosen, now)

    # --- REQUESTING ---------------------------------------------------------------------------------------------------

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
                self._tell_of_silence(now)
            return
        self._enter(Event.UNANSWERED)
        if self._chosen is not None:
            self._disappointed(self._chosen.server)
        self._restart(0.0, "", now)

    # --- INIT-REBOOT and REBOOTING: 4.4.2 -----------------------------------------------------------------------------

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
        elif self.lease is not None:  # section 3.7: it may be used until it expires
            self._enter(Event.UNANSWERED, State.BOUND)
            self._arm(self.lease.renew_at)
        else:
            self._enter(Event.UNANSWERED, State.INIT)
            self._restart(0.0, "", now)

    # --- BOUND, RENEWING and REBINDING: 4.4.5 -------------------------------------------------------------------------

    def _start_renewing(self, now: float) -> None:
        assert self.lease is not None
        self._began, self._attempt = now, 0
        self._enter(Event.T1)
        if now >= self.lease.rebind_at:
            self._enter(Event.T2)
        self._send_renewal(self.lease, now)

    def _send_renewal(self, lease: Lease, now: float) -> None:
        """A request with an xid of its own: an acknowledgment then says from which one on the lease counts."""
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
        """The lease is over: the one in use, or one acknowledged whose address is still being probed."""
        self._cancel_probe(now)
        self._enter(Event.EXPIRED)
        if self.lease is not None:
            self._lose(self.lease, "expired", now)
        self._restart(0.0, "", now)

    # --- INFORMING: 4.4.3 ---------------------------------------------------------------------------------------------

    def _send_inform(self, now: float) -> None:
        self._attempt += 1
        self._sent_at = now
        address, server = self._informed_address, self._inform_server
        message = self._writer.inform(self._xid, int(now - self._began), address)
        self._arm(now + backoff.retransmission_s(self._attempt, self._config, self._random))
        # 4.4.4: a server that does not answer may be another one by now
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
        self._below.silent(now)

    # --- what servers say ---------------------------------------------------------------------------------------------

    def _expected(self, message: DhcpMessage) -> None:
        """Raises BadPacket unless the message may be the answer to what this client sent last."""
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
        """An answer comes from the server that was asked. In SELECTING, REBOOTING, REBINDING and INFORMING all were."""
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
            self._below.informed(lease, now)
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
        self._below.probe(lease.address, now)

    def _bind(self, lease: Lease, now: float) -> None:
        previous, self.lease, self.remembered = self.lease, lease, lease
        self._wish = None
        self._forget_failures()
        self._enter(Event.RCV_ACK)
        self._arm(lease.renew_at)
        self._say("bound", lease=lease)
        self._below.bound(lease, previous, now)

    def _nak(self, message: DhcpMessage, now: float) -> None:
        """The server of the lease refuses what was asked of everybody, or another one, which it may contradict."""
        server = server_of(message.values())
        if self.state is State.REQUESTING:
            self._disappointed(server)
        lease = self.lease or self.remembered
        if self.state in (State.REBOOTING, State.REBINDING) and lease is not None and lease.server != server:
            if not self._doubted:
                self._note(
                    f"{format_ipv4(server)} says no to what {format_ipv4(lease.server)} gave, which is waited for"
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
        self._restart(backoff.refusal_s(self._refusals, self._config), "a server refuses what it offers", now)

    def _decline(self, lease: Lease, now: float) -> None:
        """Another host has the address. It is given up before the server hears of it."""
        self._enter(Event.CONFLICT)
        self._conflicts += 1
        self._disappointed(lease.server)
        self._give_up(lease, "conflict", now)
        message = self._writer.decline(self._new_xid(), lease.address, lease.server, "the address is in use")
        self._broadcast(message, ANY, now)
        config = self._config
        seconds = config.decline_wait_s if self._conflicts < config.conflicts_max else config.conflict_wait_s
        self._restart(seconds, "so that a loop of conflicts does not flood the network", now)

    def _give_up(self, asked: Lease | None, reason: str, now: float) -> None:
        """This address is not to be had, nor asked for again."""
        remembered, self.remembered, self._wish = self.remembered, None, None
        if self.lease is not None:
            self._lose(self.lease, reason, now)
        elif remembered is not None and asked is not None and asked.address == remembered.address:
            self._below.denied(remembered, reason, now)

    def _asked_for(self) -> Lease | None:
        """What the latest DHCPREQUEST asks for."""
        return self._chosen if self.state is State.REQUESTING else self.lease or self.remembered

    # --- small things -------------------------------------------------------------------------------------------------

    def _restart(self, seconds: float, why: str, now: float) -> None:
        """In INIT: begin again, after a while. Unless the host has stopped the client in the meantime."""
        if self.state is State.INIT:
            self._wait(seconds, why, now)
            if self._refusals + self._conflicts >= self._config.silent_after_failures:
                self._tell_of_silence(now)

    def _wait(self, seconds: float, why: str, now: float) -> None:
        if seconds <= 0:
            self._discover_first(now)
            return
        self._say("wait", seconds=seconds, why=why)
        self._arm(now + seconds)

    def _lose(self, lease: Lease, reason: str, now: float) -> None:
        self.lease = None
        self._began = now
        self._say("unbound", lease=lease, reason=reason)
        self._below.unbound(lease, reason, now)

    def _stop(self, now: float) -> None:
        if self.state is not State.STOPPED:
            self._cancel_probe(now)
            self._enter(Event.STOP)
            self._arm(inf)

    def _cancel_probe(self, now: float) -> None:
        lease, self._probing = self._probing, None
        if lease is not None:
            self._below.cancel_probe(lease.address, now)

    def _must_be_stopped(self) -> None:
        if self.state is not State.STOPPED:
            raise RuntimeError(f"the DHCP client is in {self.state.name}: stop it first")
        self.lease = None

    def _forget_failures(self) -> None:
        self._let_down.clear()
        self._refusals = self._conflicts = 0
        self._silent = False

    def _disappointed(self, server: bytes) -> None:
        if server in self._let_down or len(self._let_down) < self._config.servers_max:
            self._let_down[server] = self._let_down.get(server, 0) + 1

    def _new_xid(self) -> int:
        return int.from_bytes(self._random(4), "big")

    def _enter(self, event: Event, to: State | None = None) -> None:
        self._doubted = False
        before, self.state = self.state, next_state(self.state, event, to)
        self._say("state", **{"from": before.name, "to": self.state.name, "event": event.name})

    def _arm_for_lease(self, deadline: float) -> None:
        """Arm it, but never for later than the end of what is in use."""
        self._arm(deadline if self.lease is None else min(deadline, self.lease.expires_at))

    def _arm(self, deadline: float) -> None:
        self.deadline = deadline
        self.reschedule()

    def _broadcast(self, message: DhcpMessage, source: bytes, now: float) -> None:
        self._say("send", message=message, to=BROADCAST, attempt=self._attempt)
        self._below.broadcast(message.build(), source, now)

    def _unicast(self, message: DhcpMessage, source: bytes, server: bytes, now: float) -> None:
        self._say("send", message=message, to=server, attempt=self._attempt)
        self._below.unicast(message.build(), source, server, now)

    def _note(self, text: str) -> None:
        self._say("note", text=text)

    def _say(self, what: str, **fields: object) -> None:
        if self.trace is not None:
            self.trace(what, fields)
