/**
 * The state of the other end, inferred from the segments that pass: what its TCP must be in.
 *
 * A segment of its own shows its state at once. A segment of ours moves it on only if it was not
 * lost; that it arrived is assumed until something says otherwise.
 */

import {SYN, FIN, RST, ACK, seqDiff} from "./model.js";

export class PeerState {
  constructor() {
    this.state = "";
    this.finSeq = null; // the number after the FIN of the peer
    this.ourFin = null; // the number after our FIN
    this.ourSyn = null;
  }

  /** A segment of the peer. @param {object} tcp */
  sent(tcp) {
    const {flags} = tcp;
    if (flags & RST) return this.to("CLOSED");
    if (flags & SYN) return this.to(flags & ACK ? "SYN_RECEIVED" : this.state === "LISTEN" ? "SYN_RECEIVED" : "SYN_SENT");
    if (["SYN_SENT", "SYN_RECEIVED", "", "LISTEN"].includes(this.state)) this.to("ESTABLISHED");
    if (this.ourFin !== null && flags & ACK && seqDiff(tcp.ack, this.ourFin) >= 0) this.tookFin();
    if (flags & FIN) {
      this.finSeq = (tcp.seq + tcp.len + 1) >>> 0;
      if (this.state === "ESTABLISHED") this.to("FIN_WAIT_1");
      else if (this.state === "CLOSE_WAIT") this.to("LAST_ACK");
    }
    return this.state;
  }

  /** A segment of ours that was not lost. @param {object} tcp */
  received(tcp) {
    const {flags} = tcp;
    if (flags & RST) return this.to("CLOSED");
    if (flags & SYN) {
      if (!(flags & ACK) && !this.state) this.to("LISTEN");
      return this.state;
    }
    if (this.state === "SYN_RECEIVED" && flags & ACK) this.to("ESTABLISHED");
    const acked = this.finSeq !== null && flags & ACK && seqDiff(tcp.ack, this.finSeq) >= 0;
    if (acked && this.state === "FIN_WAIT_1") this.to("FIN_WAIT_2");
    else if (acked && this.state === "LAST_ACK") this.to("CLOSED");
    else if (acked && this.state === "CLOSING") this.to("TIME_WAIT");
    if (flags & FIN) this.ourFin = (tcp.seq + tcp.len + 1) >>> 0;
    return this.state;
  }

  /** The peer acknowledges our FIN, so it has taken it. */
  tookFin() {
    if (this.state === "ESTABLISHED") this.to("CLOSE_WAIT");
    else if (this.state === "FIN_WAIT_1") this.to("CLOSING");
    else if (this.state === "FIN_WAIT_2") this.to("TIME_WAIT");
  }

  to(state) {
    this.state = state;
    return state;
  }
}
