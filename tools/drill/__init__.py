"""`tapstack drill`: runs packet scripts against a host on a link in memory, in virtual time.

The language is packetdrill's (Cardwell et al., "packetdrill: Scriptable Network Stack Testing, from
Sockets to Packets", USENIX ATC 2013). `lexer` and `parser` read a script into the records of
`script`. `interpreter` runs it: `calls` makes the socket calls, `incoming` the packets that come
in, `matching` compares the packets that go out, and `outcome` is the report. `packet` reads and
writes headers without the stack's own code, so that the runner also finds a mistake in that code.
"""
