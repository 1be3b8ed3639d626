"""`tapstack drill`: runs packet scripts against a host on a link in memory, under virtual time.

The language is packetdrill's (Cardwell et al., "packetdrill: Scriptable Network Stack Testing, from Sockets to
Packets", USENIX ATC 2013). `lexer` and `parser` read a script into the records of `script`, `interpreter` runs it with
`calls` (socket calls) and `wire` (packets in and out), `matching` compares, `outcome` reports. `packet` has its own
reading and writing of headers, so that a fault of the stack's parsers cannot hide itself.
"""
