"""What a host does, told in order to observers: every frame, decision and drop, with its reason.

Read `event.py` first: what an observer gets. `trace.py` numbers the events and passes them on. The
reasons, each with a sentence and the clauses of the RFCs, are tables: `names.py` for the events,
`reasons.py` for the decisions, `drops.py` for the drops.

A host without an observer builds no event. A place that tells something compares with None, or
reads `Trace.on`, and does no more.
"""
