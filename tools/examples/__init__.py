"""Programs of one screen each, to copy and to change. README.md says what each of them shows."""
