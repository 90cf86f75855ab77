"""The one exception for what a user can cause and mend."""

import difflib
from collections.abc import Iterable


class ConvscopeError(Exception):
    """A failure that a user can mend.

    Its message is one line: what was received, what was expected, how to mend it. The commands print
    it without a traceback and end with exit status 1.
    """


def unknown(kind: str, name: str, known: Iterable[str]) -> ConvscopeError:
    """The error for a name that is not among `known`: names the nearest, or lists them.

    Args:
        kind: what was looked for, as a noun: "layer".
        name: what was given.
        known: every name that would have done.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif len(names) > 12:
        hint = f"there are {len(names)}, from {names[0]} to {names[-1]}"
    else:
        hint = f"there is {', '.join(names) or 'none'}"
    return ConvscopeError(f"no {kind} {name!r}: {hint}")


def one_line(error: Exception) -> str:
    """What an error says, without its line breaks."""
    return " ".join(str(error).split())
