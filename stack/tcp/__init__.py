"""TCP: one connection as a pure machine, in the words and the order of RFC 9293 section 3.10.

Read `states.py` first (the eleven states and what may lead from one to another), then `segment_arrives.py` beside
section 3.10.7.4. Nothing here waits, reads a clock or draws a random number: time comes in as `now`, and what a
connection wants from the world it says through the callables it was given at birth (`tcb.Services`, `tcb.Path`).
"""
