"""Literals that look like a secret are left out of code and commands before these are stored. Pure text."""

from __future__ import annotations

import re

_NAMED = re.compile(
    r"""(
        (?:passw(?:or)?d|passphrase|credential|secret|(?:api|access|private|account)[_-]?key|\blogin\(\s{0,9}key
          # What a language model calls a token is no secret.
          |(?<![^\W_])(?<!(?:pad|bos|eos|unk|sep|cls|end)_)(?<!(?:mask|next|last|stop)_)(?<!(?:start|image|first)_)
           token(?!\w))
        \w{0,40}["']?\s{0,9}\]?\s{0,9}
        # With a type, given or compared, an entry, the default of an option.
        (?: :[^=\n"']{0,60}= | [!=]?= | : | ,(?:[^"'\n]{0,80}?\bdefault\s{0,9}=)? )
        [\s(]{0,40}[bfru]{0,2}
    )
    (?: (?P<three>"{3}|'{3})(?:(?!(?P=three)).)++
      | (?P<one>["'])(?![\s,)\]}])(?:\\.|(?!(?P=one))[^\\\n])++(?=(?P=one)|\Z) )
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_IN_URL = re.compile(r"""(://[^\s/:@"']{0,200}:)[^\s/@"']{1,200}(?=@)""")
_ISSUED = re.compile(r"\b(hf_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-)[\w-]{16,}")


def redacted(text: str) -> str:
    """Return code or a command without what is given to names like a password.

    Passwords in URLs, and tokens that begin as well-known services begin theirs, are left out as well.
    """
    text = _NAMED.sub(_hidden, text)
    return _ISSUED.sub(r"\1***", _IN_URL.sub(r"\1***", text))


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}{found['three'] or found['one']}***"
