"""The programs of the package `tapstack`: short, and meant to be read as examples.

They use only the public names of `stack`.
"""
