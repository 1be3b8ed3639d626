"""One host, made of the layers: its interfaces, the demultiplexing of frames, the deadlines, and
the barrier.
"""
