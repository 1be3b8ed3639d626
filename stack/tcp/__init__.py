"""TCP: one connection as a pure state machine, in the order and the words of RFC 9293 section 3.10.

Read `states.py` first (the eleven states and the transitions between them), then
`segment_arrives.py` beside section 3.10.7.4. Nothing here waits, reads a clock or draws a random
number. Time comes in as `now`. Everything else that a connection needs from outside it gets through
`tcb.Services` and `tcb.Path`.
"""
