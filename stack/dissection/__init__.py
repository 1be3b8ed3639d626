"""A frame explained: its layers, and the fields of each with their place, value and meaning.

Read `walk.py` for which layer follows which, and `ipv4.py` for what a layer is.
"""
