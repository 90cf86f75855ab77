"""The exception for errors that a user can fix."""

import difflib
from collections.abc import Iterable


class ConvscopeError(Exception):
    """An error that a user can fix.

    The message is one line: what was received, what was expected, how to fix it. The scripts print it without
    a traceback and exit with status 1.
    """


MAX_LISTED = 8  # names that are listed beside similar ones


def unknown(kind: str, name: str, known: Iterable[str]) -> ConvscopeError:
    """Return the error for a name that is not in `known`. The message lists similar names, or all.

    Args:
        kind: the kind of name, for example "layer".
        name: the name that was given.
        known: all valid names.
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
        if len(near) < len(names) <= MAX_LISTED:
            hint += f" Expected one of {', '.join(names)}"
    elif len(names) > 12:
        hint = f"expected one of {len(names)} names, {names[0]} to {names[-1]}"
    else:
        hint = f"expected one of {', '.join(names)}" if names else "there is none"
    return ConvscopeError(f"no {kind} {name!r}: {hint}")


def one_line(error: Exception) -> str:
    """Return the message of an error without line breaks."""
    return " ".join(str(error).split())
