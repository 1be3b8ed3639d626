"""What the program says around a lesson, in each language. The same keys and places in each: a test compares them."""

from __future__ import annotations

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "lessons": "Lessons. `{run} lesson T1` starts one; what you answer stays on this machine.",
        "done": "{right} of {all} right",
        "new": "",
        "facts": "{time}",
        "needs": "It builds on {needs}.",
        "run": "(this runs now: {name})",
        "letter": "Your answer, a letter",
        "order": "Your order, such as {example}",
        "frame": "The number of the frame",
        "value": "Your answer",
        "skip": " (Enter shows it)",
        "right": "Right.",
        "wrong": "Not yet.",
        "again": "Once more",
        "was": "The answer is {right}.",
        "holds": "This is so in this run:",
        "broken": "Without {clause}, the run does this:",
        "only": "(only without it)",
        "none": "With it, none of this is so.",
        "instead": "With it, not all of this is so, or not in this order.",
        "more": "Another exercise? Enter goes on with the lesson, any other answer brings one",
        "live": "Run it now, in a lab, against the Linux kernel? y or Enter",
        "live_right": "(it printed what the lesson says)",
        "live_wrong": "It printed something else:",
        "end": "{number}: {right} of {all} right.",
        "sheet": "Your answers are in {file}. Nothing was sent.",
        "printed": "{file} is the lesson for printing: the answers begin on a page of their own.",
        "name": "Name:",
        "question": "Question {number}",
        "answers": "the answers",
        "figure": "Figure {number}",
        "behind": "({figure} shows this: it is behind the answers)",
        "goes_on": "(It goes on where you left it: {count} of its questions are answered. --again begins it anew.)",
        "left": "`tapstack lesson {number}` goes on here; with --again it begins anew.",
        "place_unreadable": "(The file with the place where you left could not be read: the lesson begins anew.)",
        "place_not_kept": "(Your place in the lesson cannot be kept: {why}.)",
        "translation": "(there is no {number} in this language yet: it follows in English)",
        "open": "The lesson is at {url} (this machine alone). Ctrl-C ends it.",
        "step": "Step {n} of {all}",
        "before": "Previous",
        "after": "Next",
        "answer": "Answer",
        "show": "Show the answer",
        "another": "Another exercise",
        "first": "Answer first, or have the answer shown: then the lesson goes on.",
        "progress": "Questions answered rightly",
        "later": "The ladder of a run stands here once its questions are answered.",
        "ladder": "The ladder of this run is beside the lesson.",
        "in_sentences": "The ladder in sentences",
        "up": "move up: {text}",
        "down": "move down: {text}",
        "in_a_lab": "For a lab, as root: start `tapstack lab` in a terminal, and type there:",
        "help": "Keys",
        "help_keys": (
            "Up, Down|the row before, the next row\n"
            "Left, Right or Space|step back, step forth\n"
            "J, K|the next row, the row before of the same connection\n"
            "Home, End|the first row, the last row\n"
            "Page Up, Page Down|ten rows\n"
            "F|follow the connection of this row, or show all\n"
            "Enter|the bits of this row\n"
            "W|why: the decisions of this row\n"
            "G|the graph of the connection at this row\n"
            "1 to 5|the panels: States, TCB, Graph, Why, Bits\n"
            "/|filter the rows\n"
            "#|relative or absolute sequence numbers\n"
            "T|time since the first row, or since the row before\n"
            "?|this help\n"
            "Esc|close, clear the filter, or back to the ladder"
        ),
        "help_drawn": "Lines",
        "help_lines": (
            "data\nan ACK alone\nSYN\nFIN\nRST\nanother protocol than TCP\n"
            "sent again: R after a timeout, F by fast retransmit, T as a tail probe, P as a probe of the window or the "
            "peer, A otherwise\n"
            "lost on the wire"
        ),
        "help_bands": (
            "The bands beside the wire are the states of both ends, each with its own pattern. The letter and the name "
            "stand where a state changes. A state with a question mark is inferred from the segments."
        ),
        "help_filter": (
            "Click a row to stop there. The filter takes words: `syn`, `c3`, `lost`, `drop`, `-ack` for rows "
            "without it."
        ),
        "close": "Close",
        "over": "This is the end of the lesson.",
        "failed": "The program did not answer: {why}",
    },
    "fr": {
        "lessons": "Leçons. `{run} lesson T1` en commence une ; vos réponses restent sur cette machine.",
        "done": "{right} justes sur {all}",
        "new": "",
        "facts": "{time}",
        "needs": "Elle suppose {needs}.",
        "run": "(ceci s'exécute maintenant : {name})",
        "letter": "Votre réponse, une lettre",
        "order": "Votre ordre, par exemple {example}",
        "frame": "Le numéro de la trame",
        "value": "Votre réponse",
        "skip": " (Entrée la montre)",
        "right": "Juste.",
        "wrong": "Pas encore.",
        "again": "Encore une fois",
        "was": "La réponse est {right}.",
        "holds": "Dans cette exécution :",
        "broken": "Sans {clause}, voici ce qui se passe :",
        "only": "(seulement sans elle)",
        "none": "Avec elle, rien de cela n'est vrai.",
        "instead": "Avec elle, tout cela n'est pas vrai, ou pas dans cet ordre.",
        "more": "Encore un exercice ? Entrée continue la leçon, toute autre réponse en donne un",
        "live": "L'exécuter maintenant, dans un lab, avec le noyau Linux ? y ou Entrée",
        "live_right": "(le résultat est celui de la leçon)",
        "live_wrong": "Le résultat est autre :",
        "end": "{number} : {right} justes sur {all}.",
        "sheet": "Vos réponses sont dans {file}. Rien n'a été envoyé.",
        "printed": "{file} est la leçon à imprimer : les réponses commencent sur une page à part.",
        "name": "Nom :",
        "question": "Question {number}",
        "answers": "les réponses",
        "figure": "Figure {number}",
        "behind": "({figure} le montre : elle se trouve après les réponses)",
        "goes_on": "(La leçon reprend où elle en était : {count} questions ont une réponse. --again la recommence.)",
        "left": "`tapstack lesson {number}` reprend ici ; avec --again, la leçon recommence.",
        "place_unreadable": "(Le fichier qui dit où vous étiez est illisible : la leçon recommence.)",
        "place_not_kept": "(Votre place dans la leçon ne peut pas être gardée : {why}.)",
        "translation": "({number} n'existe pas encore en français : la suite est en anglais)",
        "open": "La leçon est à {url} (pour cette machine seule). Ctrl-C la termine.",
        "step": "Étape {n} sur {all}",
        "before": "Précédente",
        "after": "Suivante",
        "answer": "Répondre",
        "show": "Montrer la réponse",
        "another": "Un autre exercice",
        "first": "Répondez d'abord, ou faites montrer la réponse : la leçon continue ensuite.",
        "progress": "Questions auxquelles la réponse était juste",
        "later": "L'échelle d'une exécution se trouve ici dès que ses questions ont une réponse.",
        "ladder": "L'échelle de cette exécution est à côté de la leçon.",
        "in_sentences": "L'échelle en phrases",
        "up": "monter : {text}",
        "down": "descendre : {text}",
        "in_a_lab": "Pour un lab, en root : lancez `tapstack lab` dans un terminal, et tapez-y :",
        "help": "Touches",
        "help_keys": (
            "Haut, Bas|la ligne précédente, la suivante\n"
            "Gauche, Droite ou Espace|un pas en arrière, un pas en avant\n"
            "J, K|la ligne suivante, la précédente de la même connexion\n"
            "Début, Fin|la première ligne, la dernière\n"
            "Page haut, Page bas|dix lignes\n"
            "F|suivre la connexion de cette ligne, ou tout montrer\n"
            "Entrée|les bits de cette ligne\n"
            "W|pourquoi (Why) : les décisions de cette ligne\n"
            "G|le graphe de la connexion à cette ligne\n"
            "1 à 5|les panneaux : États (States), TCB, Graphe (Graph), Pourquoi (Why), Bits\n"
            "/|filtrer les lignes\n"
            "#|numéros de séquence relatifs ou absolus\n"
            "T|temps depuis la première ligne, ou depuis la précédente\n"
            "?|cette aide\n"
            "Échap|fermer, effacer le filtre, ou revenir à l'échelle"
        ),
        "help_drawn": "Traits",
        "help_lines": (
            "données\nun ACK seul\nSYN\nFIN\nRST\nun autre protocole que TCP\n"
            "envoyé de nouveau : R après une expiration, F par retransmission rapide, T comme sonde de fin, "
            "P comme sonde de la fenêtre ou de l'autre extrémité, A sinon\n"
            "perdu sur le câble"
        ),
        "help_bands": (
            "Les bandes à côté du câble sont les états des deux extrémités, chacun avec son motif. La lettre et le nom "
            "se trouvent là où un état change. Un état avec un point d'interrogation est déduit des segments."
        ),
        "help_filter": (
            "Cliquez sur une ligne pour vous y arrêter. Le filtre prend des mots : `syn`, `c3`, `lost` (perdu), "
            "`drop` (rejeté), `-ack` pour les lignes sans ACK."
        ),
        "close": "Fermer",
        "over": "C'est la fin de la leçon.",
        "failed": "Le programme n'a pas répondu : {why}",
    },
}
LANGUAGES = tuple(WORDS)
