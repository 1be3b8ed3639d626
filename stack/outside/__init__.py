"""Connections as an observer of the wire sees them, from a capture.

README.md is the way in; `follow.py` begins.
"""
