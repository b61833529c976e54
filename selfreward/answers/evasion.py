"""Answers that give nothing and do not refuse either: empty ones, echoes of the question, stock deflections."""

import re

from selfreward.answers.refusal import refused
from selfreward.answers.words import normalise

_SENTENCE = re.compile(r"[^.!?\n]+")
_DEFLECTION = re.compile(
    r"""
    (?: (?:well|honestly|sorry|hm+|but|and|so)\ )?
    (?: (?:that|this|it)(?:\ is|'s)\ an?\ (?:very\ |really\ )?(?:good|great|interesting|hard|difficult|tough)
        \ (?:question|topic|one)
      | (?:that|this|it)\ (?:all\ )?depends(?:\ on\ (?:many|a\ lot\ of|several|various|the|your)
        (?:\ (?:things|factors|situation|circumstances|context))?)?
      | (?:that|this|it)(?:\ is|'s)\ (?:hard|difficult|not\ easy|impossible)\ to\ (?:say|tell|know)
      | (?:everyone|everybody|every\ (?:case|person|situation))\ is\ different
      | there\ are\ (?:many|several|different|various)\ (?:different\ )?(?:opinions|views|answers|ways|sides|factors)
        (?:\ (?:on|about|to)\ (?:this|that|it)(?:\ (?:topic|question|matter|issue))?)?
      | i\ (?:really\ )?(?:don't|do\ not)\ (?:really\ )?know(?:\ what\ to\ say|\ (?:about\ )?that)?
      | (?:i'm|i\ am)\ (?:really\ )?not\ sure(?:\ (?:what\ you\ mean|how\ to\ answer(?:\ that)?|about\ that))?
      | i\ (?:have\ no|don't\ have|do\ not\ have)\ (?:a\ |an\ |any\ )?(?:personal\ )?
        (?:opinions?|views?|feelings?|comments?)(?:\ (?:on|about)\ (?:this|that|it))?
      | i\ (?:can't|cannot|can\ not|could\ not|couldn't)\ (?:say|comment|judge)(?:\ (?:on\ )?(?:this|that|it))?
      | (?:i\ would|i'd)\ (?:rather|prefer)\ (?:not(?:\ to)?)(?:\ (?:say|answer|comment|talk\ about\ (?:it|that|this)))?
      | no\ comment | time\ will\ tell | who\ knows
      | (?:let's|let\ us)\ (?:talk|speak)\ about\ something\ else | let's\ change\ the\ (?:subject|topic)
      | (?:please\ |you\ should\ |i\ (?:would\ )?suggest\ (?:that\ )?(?:you\ )?|it\ is\ best\ to\ )?
        (?:consult|see|ask|talk\ to|speak\ (?:to|with)|contact|seek\ (?:help|advice)\ from)
        \ (?:with\ )?(?:a|an|your)\ (?:(?:qualified|licensed|medical|financial|legal|trusted)\ )*
        (?:doctor|lawyer|professional|expert|advisor|adviser|therapist|physician|specialist)
      | i\ (?:understand|hear)\ (?:you|your\ (?:frustration|concern|feelings|question))
      | (?:why\ do\ you\ ask|what\ do\ you\ mean|how\ (?:can|may)\ i\ (?:help|assist)\ you(?:\ today)?
        |what\ (?:would|do)\ you\ (?:like|want)(?:\ to\ know)?
        |(?:can|could)\ you\ (?:please\ )?(?:tell\ me\ more|clarify|explain|be\ more\ specific)
        (?:\ (?:about\ (?:that|it|this)|what\ you\ mean))?)
      | (?:i'm|i\ am)\ (?:here|happy|glad)\ to\ help(?:\ you)?
      | as\ an?\ (?:ai|(?:ai\ |large\ )?language\ model)(?:\ assistant)?
    )
    """,
    re.VERBOSE,
)
_JOINED = re.compile(r",?\s(?:so|and|but|because)\s|,\s|;\s")
_EDGES = " ,;:-*_\"'()"


def evaded(text: str, question: str) -> bool:
    """Whether `text` gives nothing to `question`, without a stock phrase that refuses.

    It has no word, is the question over again, or every clause of it is an English stock deflection (it depends, I do
    not know, ask a professional, how can I help). A clause that says anything else makes it an answer, so deflections
    in words of their own, and answers beside the point, are missed. Of `tests/answers/evasions.jsonl` the error rates
    stand in docs/red_team.md.
    """
    if refused(text):
        return False
    said = normalise(text)
    if not said or said == normalise(question):
        return True
    plain = text.casefold().replace("\u2019", "'")
    clauses = [" ".join(part.split()) for sentence in _SENTENCE.findall(plain) for part in _JOINED.split(sentence)]
    kept = [clause for one in clauses if (clause := one.strip(_EDGES))]
    return bool(kept) and all(_DEFLECTION.fullmatch(clause) is not None for clause in kept)
