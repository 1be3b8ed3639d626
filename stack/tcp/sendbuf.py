"""The send buffer: the retransmission queue and the data that was never sent, in one queue.

Octets are addressed by their distance from SND.UNA. RFC 9293 section 3.4 describes a retransmission
queue and a buffer of SEND calls. Here SND.NXT divides one buffer into the two, so that nothing is
moved when data is sent.
"""

from __future__ import annotations

from stack.wire.checksum import Buffer

# Writes smaller than this are joined, because an object for each would take more memory than its
# data.
_JOIN_BELOW = 1024


class SendBuffer:
    """A queue of immutable chunks.

    Data is copied only when it is queued, and only if the caller could still change it. The queue
    is a list for the reason in tcb.py.
    """

    __slots__ = ("_chunks", "_cursor", "_cursor_index", "head", "size")

    def __init__(self) -> None:
        self._chunks: list[bytes | memoryview] = []
        self.head = 0  # octets of the first chunk that are already acknowledged
        # Where chunk `_cursor_index` begins, from SND.UNA; negative if part of it is acknowledged
        self._cursor = 0
        self._cursor_index = 0
        self.size = 0

    def append(self, data: Buffer) -> None:
        """Queue `data`. Only `bytes`, or a memoryview of exactly `bytes`, is queued without a copy.

        The contents of a read-only view of a bytearray can still change, so it is not enough to
        check `.readonly`.
        """
        if type(data) is memoryview:
            if type(data.obj) is bytes and data.contiguous and data.itemsize == 1 and len(data) >= _JOIN_BELOW:
                data = data[:]  # a view of our own, since the caller will release its view
            else:
                data = bytes(data)
        elif type(data) is not bytes:
            data = bytes(data)
        chunks = self._chunks
        if chunks and len(data) < _JOIN_BELOW and len(chunks[-1]) + len(data) <= _JOIN_BELOW:
            chunks[-1] = bytes(chunks[-1]) + bytes(data)
        else:
            chunks.append(data)
        self.size += len(data)

    def acknowledge(self, count: int) -> None:
        """Remove the first `count` octets: they are acknowledged."""
        self.size -= count
        self._cursor -= count
        count += self.head
        chunks = self._chunks
        gone = 0
        for chunk in chunks:
            length = len(chunk)
            if count < length:
                break
            count -= length
            gone += 1
        if gone:
            del chunks[:gone]
            self._cursor_index -= gone
        self.head = count
        if self._cursor_index < 0:
            self._cursor_index, self._cursor = 0, -count

    def parts(self, offset: int, count: int) -> list[Buffer]:
        """The `count` octets from `offset` on, as views of their chunks.

        A cursor remembers where the last new data began, so that sending a long queue takes linear
        time.
        """
        if count <= 0:
            return []
        chunks = self._chunks
        index, start = self._cursor_index, self._cursor
        forward = offset >= start
        if not forward:
            index, start = 0, -self.head
        while index < len(chunks) and start + len(chunks[index]) <= offset:
            start += len(chunks[index])
            index += 1
        if forward:
            self._cursor_index, self._cursor = index, start
        result: list[Buffer] = []
        skip = offset - start
        while count > 0:
            chunk = chunks[index]
            if skip == 0 and len(chunk) <= count:
                result.append(chunk)
                count -= len(chunk)
            else:
                view = memoryview(chunk)[skip : skip + count]
                result.append(view)
                count -= len(view)
            skip = 0
            index += 1
        return result

    def clear(self) -> None:
        """Remove everything (ABORT, reset, timeout)."""
        self._chunks.clear()
        self.head = self._cursor = self._cursor_index = self.size = 0
