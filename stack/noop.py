"""The default for every callback that its owner may leave unset."""


def noop(*_: object) -> None:
    """Do nothing."""
