"""What has arrived and the user has not read yet, and, beyond a gap, what arrived too early.

See RFC 9293 section 3.10.7.4, seventh step: "segments with higher beginning sequence numbers SHOULD be held for later
processing" (SHLD-31). Octets are addressed by their distance from the first one of the stream, which does not wrap.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from operator import itemgetter
from typing import cast

from stack.frame_buffer import FrameBuffer
from stack.wire.checksum import Buffer

# Chunks smaller than this are joined: their bookkeeping must not outweigh what they hold.
JOIN_BELOW = 1024

# Text as long as this is kept where the link has put it, if it fills half of that place: the memory that data takes up
# must not be much more than the data.
KEEP_FROM = 32_000

# What a run takes beside its octets: the objects that hold it here, and its edges in `SackReporter`.
RUN_BYTES = 256

_NO_RUNS: list[tuple[int, bytes]] = []  # of every connection on which nothing is out of order: never written to

_start_of = itemgetter(0)


class ReceiveBuffer:
    """In-order data as a queue of chunks that nobody changes, out-of-order data as a sorted list of disjoint runs.

    `next` is the stream offset of RCV.NXT, `size` the number of octets a reader could have now, `held` the number of
    octets waiting behind a gap. At most `max_runs` runs are held: more would be an attack (SegmentSmack).

    Memory is held beside `size`: `head` octets of the first chunk, which were read already; `spare` octets of frame
    buffers around the text that they are kept for; and `held_cost` for what waits behind a gap, overhead included.

    The queue is a list, not a deque, for `SendBuffer`'s reason.
    """

    __slots__ = ("_chunks", "_max_runs", "_runs", "head", "held", "held_cost", "next", "size", "spare")

    def __init__(self, max_runs: int) -> None:
        self._chunks: list[bytes | memoryview] = []
        self.head = 0
        self._max_runs = max_runs
        self._runs = _NO_RUNS  # where each begins, and what it is
        self.next = 0
        self.size = 0
        self.held = 0
        self.spare = 0
        self.held_cost = 0

    def append(self, data: Buffer) -> None:
        """Add in-order data: one copy, into an immutable chunk, or none, where a whole frame buffer may be kept."""
        count = len(data)
        chunks = self._chunks
        if count < JOIN_BELOW and chunks and len(chunks[-1]) + count <= JOIN_BELOW:
            chunks[-1] = b"".join((chunks[-1], data))  # a chunk that a reader already has stays as it is
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
        """Add in-order data, `count` octets in chunks that nobody changes and that are too large to be joined."""
        self._chunks += chunks
        if len(chunks[0]) >= KEEP_FROM:
            for chunk in chunks:
                if type(chunk) is memoryview:
                    self.spare += len(cast(FrameBuffer, chunk.obj)) - len(chunk)
        self.size += count
        self.next += count

    def insert(self, offset: int, data: Buffer) -> int:
        """Put `data` where it belongs; return by how much `next` moved.

        Octets that are here already are not stored again (and not changed: the first copy wins). Returns -1 when the
        data was refused because too many runs are held.
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
            if index < len(runs) and runs[index][0] <= position:  # covered here: go on behind this run
                position = max(position, _end_of(runs[index]))
                index += 1
                continue
            stop = min(end, runs[index][0]) if index < len(runs) else end
            # What fills the gap at RCV.NXT is never refused: it makes runs fewer, not more.
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
        """Take up to `max_bytes`; a chunk of bytes that is alone, or as much as fits, is returned without a copy."""
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
        if available < max_bytes and len(chunks) > 1:  # one copy more is cheaper than one call more
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
        """The first chunks were read to their ends."""
        for chunk in self._chunks[:count]:
            if type(chunk) is memoryview:
                buffer = cast(FrameBuffer, chunk.obj)
                self.spare -= len(buffer) - len(chunk)
                buffer.give_back()
        del self._chunks[:count]

    def peek(self, max_bytes: int, skip: int = 0) -> bytes:
        """A copy of up to `max_bytes`, from `skip` octets on; nothing is taken."""
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
        """Fill `target` as far as there is data; return the number of octets."""
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
        """The one octet that `read` would return after `offset` others; it stays where it is."""
        offset += self.head
        for chunk in self._chunks:
            if offset < len(chunk):
                return bytes(chunk[offset : offset + 1])
            offset -= len(chunk)
        raise IndexError("it has not arrived")

    def runs(self) -> list[tuple[int, int]]:
        """The stream offsets (first, one past the last) of each run held behind a gap."""
        return [(run[0], _end_of(run)) for run in self._runs]

    def cut_held(self, end: int) -> None:
        """Forget what waits behind a gap from `end` on: the stream ends there."""
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
        """Forget what waits behind a gap: nothing will fill it."""
        self._runs = _NO_RUNS
        self.held = self.held_cost = 0

    def clear(self) -> None:
        """Forget everything that nobody will read any more."""
        self.forget_held()
        self._chunks.clear()
        self.head = self.size = self.spare = 0


def kept(data: memoryview) -> bytes | memoryview:
    """Data of a frame as a chunk that nobody changes: as it is, if its buffer is left to us (`FrameBuffer`), or a copy.

    Only a buffer that it fills half is worth keeping.
    """
    buffer = data.obj
    if type(buffer) is not FrameBuffer or buffer.kept or 2 * len(data) < len(buffer):
        return bytes(data)
    buffer.kept = True
    return data


def _end_of(run: tuple[int, bytes]) -> int:
    return run[0] + len(run[1])
