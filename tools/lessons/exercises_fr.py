"""The exercises in French: each English sentence of exercises.py, and what it is. `{}` stands for numbers."""

from __future__ import annotations

import re
from functools import cache

from .exercises import Exercise

WORDS = {"yes": "oui", "no": "non"}
HOST = "Un hôte a l'adresse {}/{}."
HOST_WITH_MASK = "Un hôte a l'adresse {} et le masque {}."
SENTENCES = {
    "A host has the address {}/{}. What is its network?": f"{HOST} Quel est son réseau ?",
    "A host has the address {} and the mask {}. What is the broadcast address of its network?": (
        f"{HOST_WITH_MASK} Quelle est l'adresse de diffusion de son réseau ?"
    ),
    "A host has the address {} and the mask {}. Which part of it is the host's (HostID)?": (
        f"{HOST_WITH_MASK} Quelle partie est celle de l'hôte (HostID) ?"
    ),
    "A host has the address {}/{}. Which is the least address that a host of its network can have?": (
        f"{HOST} Quelle est la plus petite adresse qu'un hôte de son réseau puisse avoir ?"
    ),
    "A host has the address {}/{}. Which is the greatest address that a host of its network can have?": (
        f"{HOST} Quelle est la plus grande adresse qu'un hôte de son réseau puisse avoir ?"
    ),
    "Write the mask of /{} as four numbers with dots.": (
        "Écrivez le masque de /{} : quatre nombres séparés par des points."
    ),
    "How many hosts can a network of /{} have?": "Combien d'hôtes un réseau en /{} peut-il avoir ?",
    "Two hosts have {}/{} and {}/{}. Can they reach each other without a router: yes or no?": (
        "Deux hôtes ont {}/{} et {}/{}. Peuvent-ils se joindre sans routeur : oui ou non ?"
    ),
    "Which class is {} of: A, B, C, D or E?": "De quelle classe est {} : A, B, C, D ou E ?",
    "Is {} a private address: yes or no?": "{} est-elle une adresse privée : oui ou non ?",
    # --- what is said of answers
    "That is the host itself: its host bits are not all zero yet.": (
        "C'est l'hôte lui-même : ses bits d'hôte ne sont pas encore tous à 0."
    ),
    "That is the host itself: its host bits are not all one yet.": (
        "C'est l'hôte lui-même : ses bits d'hôte ne sont pas encore tous à 1."
    ),
    "That is the broadcast address: its host bits are all one, not zero.": (
        "C'est l'adresse de diffusion : ses bits d'hôte sont tous à 1, et non à 0."
    ),
    "That is the broadcast address: all host bits are one.": (
        "C'est l'adresse de diffusion : tous les bits d'hôte sont à 1."
    ),
    "That is the network: its host bits are all zero, not one.": (
        "C'est le réseau : ses bits d'hôte sont tous à 0, et non à 1."
    ),
    "That is the network itself: all host bits are zero.": "C'est le réseau lui-même : tous les bits d'hôte sont à 0.",
    "That is the first host of the network. The network itself is one less.": (
        "C'est le premier hôte du réseau. Le réseau lui-même est un de moins."
    ),
    "That is the last host. The broadcast address is one more.": (
        "C'est le dernier hôte. L'adresse de diffusion est un de plus."
    ),
    "Those are the host's bits. The network has the others.": "Ce sont les bits de l'hôte. Le réseau a les autres.",
    "That is the part of the network. The host has the other bits.": (
        "C'est la partie du réseau. L'hôte a les autres bits."
    ),
    "That is the network of a mask of 24 bits. This mask has another length.": (
        "C'est le réseau d'un masque de 24 bits. Ce masque-ci a une autre longueur."
    ),
    "That would be right for a mask of 24 bits. This mask has another length.": (
        "Ce serait juste pour un masque de 24 bits. Ce masque-ci a une autre longueur."
    ),
    "That would be right for a mask of 24 bits. This one has another length.": (
        "Ce serait juste pour un masque de 24 bits. Celui-ci a une autre longueur."
    ),
    "That is the mask. The network is the address AND the mask.": (
        "C'est le masque. Le réseau est l'adresse ET le masque."
    ),
    "That reaches this link, whatever its network is. The network has one of its own.": (
        "Celle-ci atteint ce lien, quel que soit son réseau. Le réseau en a une à lui."
    ),
    "That is the other part: its bits are one where those of the mask are zero.": (
        "C'est l'autre partie : ses bits sont à 1 là où ceux du masque sont à 0."
    ),
    "That mask has {} bits.": "Ce masque a {} bits.",
    "That is the prefix length itself. The mask has four numbers with dots.": (
        "C'est la longueur du préfixe elle-même. Le masque a quatre nombres séparés par des points."
    ),
    "That counts the network itself and the broadcast address, too: they are no hosts.": (
        "C'est compter aussi le réseau lui-même et l'adresse de diffusion : ce ne sont pas des hôtes."
    ),
    "Two addresses are no hosts, not one: all host bits zero, and all one.": (
        "Deux adresses ne sont pas des hôtes, et non une : tous les bits d'hôte à 0, et tous à 1."
    ),
    "That is 2 to the power of the network's bits. The host's bits count.": (
        "C'est 2 à la puissance des bits du réseau. Ce sont ceux de l'hôte qui comptent."
    ),
    "That is the number of host bits. Each one doubles the number of addresses.": (
        "C'est le nombre de bits de l'hôte. Chacun double le nombre d'adresses."
    ),
    "That is the last octet. This mask does not end there.": "C'est le dernier octet. Ce masque ne finit pas là.",
    "That is the complement of the mask. Take the address AND it.": (
        "C'est le complément du masque. Prenez l'adresse ET ce complément."
    ),
    "That is the whole address. The bits of the network become zero.": (
        "C'est l'adresse entière. Les bits du réseau deviennent 0."
    ),
    "That is one host of the network. There are hosts below it.": "C'est un hôte du réseau. Il y en a de plus petits.",
    "That is one host of the network. There are hosts above it.": "C'est un hôte du réseau. Il y en a de plus grands.",
    "One more is still a host: only the address with all host bits one is none.": (
        "Un de plus est encore un hôte : seule l'adresse dont tous les bits d'hôte sont à 1 n'en est pas un."
    ),
    "Its first octet is {}, {} in bits. Class {} begins with {}.": (
        "Son premier octet est {}, soit {} en bits. La classe {} commence par {}."
    ),
    # --- why
    "{} AND {} is {}.": "{} ET {} donne {}.",
    "{} AND {}, the complement of the mask, is {}.": "{} ET {}, le complément du masque, donne {}.",
    "The mask ends between two octets, behind the first {}.": (
        "Le masque finit entre deux octets. Nombre d'octets entiers : {}."
    ),
    "The mask ends in octet {}: {} is {} in bits.": "Le masque finit dans l'octet {} : {} s'écrit {} en bits.",
    "All host bits are one: {} + {}.": "Tous les bits d'hôte sont à 1 : {} + {}.",
    "{} bits are one: {} whole octets of 255.": "Bits à 1 : {}. Octets entiers, de 255 : {}.",
    "{} bits are one: {} whole octet of 255.": "Bits à 1 : {}. Octets entiers, de 255 : {}.",
    "{} bits are one: {} whole octets of 255, then {} bits in the next octet: {} is {}.": (
        "Bits à 1 : {}. Octets entiers, de 255 : {}. Puis {} dans l'octet suivant : {} est {}."
    ),
    "{} bits are one: {} whole octet of 255, then {} bits in the next octet: {} is {}.": (
        "Bits à 1 : {}. Octets entiers, de 255 : {}. Puis {} dans l'octet suivant : {} est {}."
    ),
    "There are {} host bits, so {} addresses; all zero and all one are no hosts.": (
        "Il y a {} bits d'hôte, donc {} adresses. Celles où ils sont tous à 0 ou tous à 1 ne sont pas des hôtes."
    ),
    "The network is {}, and one more is the first host.": "Le réseau est {}, et un de plus est le premier hôte.",
    "The broadcast address is {}, and one less is the last host.": (
        "L'adresse de diffusion est {}, et un de moins est le dernier hôte."
    ),
    "AND the mask, one is in {}, the other in {}.": "Avec le masque, l'un est dans {}, l'autre dans {}.",
    "Its first octet is {}, {} in bits: it begins with {}.": (
        "Son premier octet est {}, soit {} en bits : il commence par {}."
    ),
    "{} is private: it is in {}. (RFC 1918 section 3)": "{} est privée : elle est dans {}. (RFC 1918, section 3)",
    "{} is not private: it is in none of {}. (RFC 1918 section 3)": (
        "{} n'est pas privée : elle n'est dans aucun de {}. (RFC 1918, section 3)"
    ),
    # --- the checksum
    "What is the Internet checksum of the words {}? Write it in hexadecimal, with 0x.": (
        "Quel est le checksum Internet des mots {} ? Écrivez-le en hexadécimal, avec 0x."
    ),
    "That is the sum. The checksum is its complement: each bit inverted.": (
        "C'est la somme. Le checksum est son complément : chaque bit inversé."
    ),
    "The carry is not lost: it is added at the right.": "La retenue n'est pas perdue : on l'ajoute à droite.",
    "That is the sum without its carry, and it is not inverted yet.": (
        "C'est la somme sans sa retenue, et elle n'est pas encore inversée."
    ),
    "That has more than 16 bits. Add the carry at the right, and invert each bit.": (
        "Cela fait plus de 16 bits. Ajoutez la retenue à droite, et inversez chaque bit."
    ),
    "The sum is {}. With its carry {} added at the right it is {}. Each bit inverted: {}.": (
        "La somme est {}. Avec sa retenue {} ajoutée à droite, c'est {}. Chaque bit inversé : {}."
    ),
}  # fmt: skip
NUMBERS = r"([0-9A-E][0-9a-fx./, ]*?)"


def in_french(exercise: Exercise) -> Exercise:
    """Return an exercise with its sentences in French. Its answers are the same, but for yes and no."""
    hints = tuple((WORDS.get(value, value), translated(sentence)) for value, sentence in exercise.hints)
    return Exercise(
        translated(exercise.prompt), WORDS.get(exercise.right, exercise.right), hints, translated(exercise.because)
    )


def translated(text: str) -> str:
    """Return a text in French, sentence by sentence. The rest stays as it is from the first unknown one on."""
    told = []
    while text:
        for pattern, french in patterns():
            if found := pattern.match(text):
                told.append(french.format(*found.groups()))
                text = text[found.end() :].lstrip()
                break
        else:
            told.append(text)
            break
    return " ".join(told)


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """Return what to look for, and the French of it; the longest first."""
    return [
        (re.compile(re.escape(english).replace(r"\{\}", NUMBERS) + r"(?=\s|$)"), french)
        for english, french in sorted(SENTENCES.items(), key=lambda each: -len(each[0]))
    ]
