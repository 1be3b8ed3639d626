"""Lessons that ask before they show: Markdown files, what reads and runs them, and the program `tapstack lesson`."""
