"""Whether a text is English, by its letters and its most common words."""

import re
import unicodedata


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _words(
    "the a an of to in and or is are was were be been do does did can could would should will may might must have has"
    " had i you he she it we they me my your his her its our their this that these those what which who whom whose when"
    " where why how not no if then than as at by for from with without about into over under between through during"
    " some any all each every many much more most few less other another one two there here also only just so because"
    " while before after write give name list explain describe make tell compare suggest find translate summarize"
)
_OTHERS = {
    "german": _words(
        "der die das ein eine einen und oder ist sind war waren nicht ich du er wir ihr sie es von zu mit auf für im am"
        " dem den des wie was warum wer wo wann welche welcher kann können haben hat bei aus nach über sich auch ein"
    ),
    "french": _words(
        "le la les un une des du de et ou est sont était ne pas je tu il elle nous vous ils que qui quoi quel quelle"
        " pourquoi comment où quand dans pour avec sur au aux ce cette ces son sa ses par plus peut l d qu"
    ),
    "spanish": _words(
        "el la los las un una unos de del y o es son era no yo tú él ella nosotros que qué quién cuál cómo dónde cuándo"
        " por para con en sobre se su sus este esta más puede al lo porque"
    ),
    "italian": _words(
        "il lo la i gli le un uno una di del della e o è sono era non io tu lui lei noi che chi cosa quale come dove"
        " quando perché per con in su si suo sua questo questa più può al nel"
    ),
    "portuguese": _words(
        "o a os as um uma de do da dos das e ou é são era não eu tu ele ela nós que quem qual como onde quando por para"
        " com em no na se seu sua este esta mais pode ao"
    ),
    "dutch": _words(
        "de het een en of is zijn was niet ik jij hij wij van te met op voor in aan dat die wie wat waarom hoe waar"
        " wanneer kan hebben heeft bij uit naar over zich ook"
    ),
}
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|`[^`]*`|(?<!\w)'[^']*'(?!\w)")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN_SHARE = 0.9
_TOLD = 6
"""Words from which on an English text has one of the common ones."""


def is_english(text: str) -> bool:
    """Whether `text`, but for what it quotes, is English as far as can be told; a text of a few words often is not.

    Nine letters in ten are Latin, and of the most common words of seven languages no other has more than English.
    """
    said = _QUOTED.sub(" ", unicodedata.normalize("NFC", text).casefold()).replace("\u2019", "'")
    letters = [one for one in said if one.isalpha()]
    latin = sum(unicodedata.name(one, "").startswith("LATIN") for one in letters)
    if letters and latin < _LATIN_SHARE * len(letters):
        return False
    words = _WORD.findall(said)
    english = sum(word in _ENGLISH for word in words)
    others = max(sum(word in common for word in words) for common in _OTHERS.values())
    return english >= others and (english > 0 or len(words) < _TOLD)
