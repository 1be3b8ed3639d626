"""What is said of a segment: a word, a sentence, and whether it is a fact or a guess."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of mark.

    Attributes:
      name: the word, such as "duplicate_ack".
      sentence: what it means. `{number}` and `{frame}` in it are those of the mark.
      rule: of a guess, the rule by which it was made; "" for a fact.
      clauses: identifiers of the requirement lists, where a clause says what is seen here.
      tshark: the field `tcp.analysis.*` of Wireshark whose definition this is; "" for none.
    """

    name: str
    sentence: str
    rule: str = ""
    clauses: tuple[str, ...] = ()
    tshark: str = ""


class Mark(NamedTuple):
    """A mark of a segment or of a connection.

    `number` counts (the third duplicate ACK, octets that are missing), and `frame` is the number of
    the frame that the mark refers to; 0 where there is none.
    """

    kind: Kind
    number: int = 0
    frame: int = 0

    @property
    def name(self) -> str:
        """The word."""
        return self.kind.name

    @property
    def sentence(self) -> str:
        """What it means, as a sentence."""
        return self.kind.sentence.format(number=self.number, frame=self.frame)

    @property
    def certain(self) -> bool:
        """Whether it is a fact: whether it follows from the captured octets alone."""
        return not self.kind.rule

    @property
    def rule(self) -> str:
        """The rule by which it was guessed; "" for a fact."""
        return self.kind.rule

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses of the RFCs that say what is seen here."""
        return self.kind.clauses
