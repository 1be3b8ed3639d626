"""The receive buffer: text that the user has not read, and out-of-order text behind a gap.

See RFC 9293 section 3.10.7.4, seventh step: "segments with higher beginning sequence numbers SHOULD
be held for later processing" (SHLD-31). Octets are addressed by their distance from the first octet
of the stream, which does not wrap.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from operator import itemgetter
from typing import cast

from stack.frame_buffer import FrameBuffer
from stack.wire.checksum import Buffer

# Chunks smaller than this are joined, because an object for each would take more memory than its
# data.
JOIN_BELOW = 1024

# Text at least this long stays in the frame buffer in which it arrived, if it fills half of that
# buffer. Otherwise a buffer would take much more memory than its data.
KEEP_FROM = 32_000

# The memory that a run takes in addition to its octets: the objects that hold it here, and its
# edges in `SackReporter`.
RUN_BYTES = 256

_NO_RUNS: list[tuple[int, bytes]] = []  # shared, never written to: see tcb.py

_start_of = itemgetter(0)


class ReceiveBuffer:
    """In-order data as a queue of immutable chunks; out-of-order data as sorted, disjoint runs.

    `next` is the stream offset of RCV.NXT, `size` the number of octets that can be read now, `held`
    the number of octets behind a gap. At most `max_runs` runs are held: more would be an attack
    (SegmentSmack).

    The memory budget also counts octets that are in none of these: `head` octets of the first chunk
    were read already; `spare` octets of the frame buffers hold no data; `held_cost` is `held` with
    its overhead. The queue is a list for the reason in tcb.py.
    """

    __slots__ = ("_chunks", "_max_runs", "_runs", "head", "held", "held_cost", "next", "size", "spare")

    def __init__(self, max_runs: int) -> None:
        self._chunks: list[bytes | memoryview] = []
        self.head = 0
        self._max_runs = max_runs
        self._runs = _NO_RUNS  # (offset of the first octet, octets) of each run
        self.next = 0
        self.size = 0
        self.held = 0
        self.spare = 0
        self.held_cost = 0

    def append(self, data: Buffer) -> None:
        """Add in-order data: copied once into an immutable chunk, or left in its frame's buffer."""
        count = len(data)
        chunks = self._chunks
        if count < JOIN_BELOW and chunks and len(chunks[-1]) + count <= JOIN_BELOW:
            chunks[-1] = b"".join((chunks[-1], data))  # a new object: a reader may hold the old one
        elif count >= KEEP_FROM and isinstance(data, memoryview):
            chunk = kept(data)
            chunks.append(chunk)
            if type(chunk) is memoryview:
                self.spare += len(cast(FrameBuffer, chunk.obj)) - count
        else:
            chunks.append(bytes(data))
        self.size += count
        self.next += count

    def extend(self, chunks: list[bytes | memoryview], count: int) -> None:
        """Add in-order data: `count` octets in immutable chunks that are too large to be joined."""
        self._chunks += chunks
        if len(chunks[0]) >= KEEP_FROM:
            for chunk in chunks:
                if type(chunk) is memoryview:
                    self.spare += len(cast(FrameBuffer, chunk.obj)) - len(chunk)
        self.size += count
        self.next += count

    def insert(self, offset: int, data: Buffer) -> int:
        """Store `data` at its place in the stream; return by how many octets `next` moved.

        Octets that are held already are not stored again. Returns -1 when the data was refused
        because too many runs are held.
        """
        before = self.next
        end = offset + len(data)
        if end <= before:
            return 0
        if offset < before:
            data, offset = data[before - offset :], before
        if offset == before and not self._runs:
            self.append(data)
            return end - before
        if not self._hold(offset, end, data):
            return -1
        self._drain()
        return self.next - before

    def _hold(self, offset: int, end: int, data: Buffer) -> bool:
        """Store the parts of `data` that fall between the runs held already."""
        if self._runs is _NO_RUNS:
            self._runs = []
        runs = self._runs
        index = bisect_left(runs, offset, key=_start_of)
        if index and _end_of(runs[index - 1]) > offset:
            index -= 1
        position = offset
        while position < end:
            # Already held: continue after this run
            if index < len(runs) and runs[index][0] <= position:
                position = max(position, _end_of(runs[index]))
                index += 1
                continue
            stop = min(end, runs[index][0]) if index < len(runs) else end
            # Data at RCV.NXT is never refused, because it reduces the number of runs.
            if len(runs) >= self._max_runs and offset != self.next:
                return False
            runs.insert(index, (position, bytes(data[position - offset : stop - offset])))
            self.held += stop - position
            self.held_cost += stop - position + RUN_BYTES
            position = stop
            index += 1
        return True

    def _drain(self) -> None:
        """Move the runs that have become in-order to the readable side."""
        moved = 0
        for start, run in self._runs:
            if start != self.next:
                break
            self.held -= len(run)
            self.held_cost -= len(run) + RUN_BYTES
            self.append(run)
            moved += 1
        if moved:
            del self._runs[:moved]

    def read(self, max_bytes: int) -> bytes:
        """Take up to `max_bytes`. A single chunk of bytes that fits is returned without a copy."""
        chunks = self._chunks
        if not chunks or max_bytes <= 0:
            return b""
        first = chunks[0]
        available = len(first) - self.head
        if available > max_bytes:
            self.head += max_bytes
            self.size -= max_bytes
            return bytes(first[self.head - max_bytes : self.head])
        part = first[self.head :] if self.head else first
        taken = 1
        self.head = 0
        if available < max_bytes and len(chunks) > 1:  # one more copy is cheaper than one more call
            parts = [part]
            room = max_bytes - available
            for chunk in islice(chunks, 1, None):
                if len(chunk) > room:
                    if room:
                        parts.append(chunk[:room])
                        self.head = room
                    break
                room -= len(chunk)
                parts.append(chunk)
                taken += 1
            result = b"".join(parts)
        else:
            result = bytes(part)
        self._forget(taken)
        self.size -= len(result)
        return result

    def _forget(self, count: int) -> None:
        """Remove the first `count` chunks, which have been read to the end."""
        for chunk in self._chunks[:count]:
            if type(chunk) is memoryview:
                buffer = cast(FrameBuffer, chunk.obj)
                self.spare -= len(buffer) - len(chunk)
                buffer.give_back()
        del self._chunks[:count]

    def peek(self, max_bytes: int, skip: int = 0) -> bytes:
        """Return a copy of up to `max_bytes`, from `skip` octets on, without taking them."""
        parts: list[memoryview] = []
        skip += self.head
        for chunk in self._chunks:
            if max_bytes <= 0:
                break
            piece = memoryview(chunk)[skip : skip + max_bytes]
            skip = max(skip - len(chunk), 0)
            max_bytes -= len(piece)
            parts.append(piece)
        return b"".join(parts)

    def read_into(self, target: memoryview) -> int:
        """Copy data into `target` until it is full or no data is left; return the octet count."""
        chunks = self._chunks
        done = taken = 0
        for chunk in chunks:
            if done == len(target):
                break
            piece = memoryview(chunk)[self.head : self.head + len(target) - done]
            target[done : done + len(piece)] = piece
            done += len(piece)
            self.head += len(piece)
            if self.head == len(chunk):
                taken += 1
                self.head = 0
        self._forget(taken)
        self.size -= done
        return done

    def octet(self, offset: int) -> bytes:
        """The one octet that `read` would return after `offset` others; it stays in the buffer."""
        offset += self.head
        for chunk in self._chunks:
            if offset < len(chunk):
                return bytes(chunk[offset : offset + 1])
            offset -= len(chunk)
        raise IndexError("this octet has not arrived")

    def runs(self) -> list[tuple[int, int]]:
        """The stream offsets (first, one past the last) of each run held behind a gap."""
        return [(run[0], _end_of(run)) for run in self._runs]

    def cut_held(self, end: int) -> None:
        """Drop out-of-order data from `end` on: the stream ends there."""
        runs = self._runs
        while runs and _end_of(runs[-1]) > end:
            start, run = runs.pop()
            self.held -= len(run)
            self.held_cost -= len(run) + RUN_BYTES
            if start < end:
                runs.append((start, run[: end - start]))
                self.held += end - start
                self.held_cost += end - start + RUN_BYTES

    def forget_held(self) -> None:
        """Drop all out-of-order data: the gap will not be filled."""
        self._runs = _NO_RUNS
        self.held = self.held_cost = 0

    def clear(self) -> None:
        """Drop all data: no user will read it."""
        if self.held:
            self.forget_held()
        self._chunks.clear()
        self.head = self.size = self.spare = 0


def kept(data: memoryview) -> bytes | memoryview:
    """The data of a frame as an immutable chunk: left in its `FrameBuffer`, or a copy.

    A buffer is kept only if the data fills half of it.
    """
    buffer = data.obj
    if type(buffer) is not FrameBuffer or buffer.kept or 2 * len(data) < len(buffer):
        return bytes(data)
    buffer.kept = True
    return data


def _end_of(run: tuple[int, bytes]) -> int:
    return run[0] + len(run[1])
