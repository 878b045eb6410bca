"""Secrets by reference: where a token lies may be written down, the token may not.

A configuration says `"env:NAME"`, `"file:PATH"` or `"keyring:NAME"`; the value is
read when it is needed and kept nowhere. So no secret can reach a `repr`, a log, an
exception, a pickle or a journal.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from qdmi_qiskit.errors import ConfigError, MissingPluginError

HOW = '"env:NAME", "file:PATH" or "keyring:NAME"'
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0\r\n]+|keyring:[^\0\r\n]+")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://[^/?#\\\s]*@")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENDING = re.compile(
    r"(tokens?|passwords?|passwd|passphrase|secrets?|credentials?|authorization"
    r"|(api|access|secret|private)key)$"
)
# `..._key` is a credential unless the word before says what else it is.
_HARMLESS = re.compile(
    r"public|sort|primary|foreign|partition|cache|submit|idempotency|results?|measure(ment)?"
    r"|register|group|index|lookup|order|routing|object|bucket|s3"
)
# In what a server echoes and a library logs: headers, and parameters of signed URLs.
_TOLD = re.compile(
    r"(bearer(?:\s|%20|\+)+|x-amz-(?:security-token|signature|credential)[\\'\"]*\s*[:=]\s*b?[\\'\"]*"
    r"|\b(?:signature|credential)=|<(token-0|sessiontoken|secretaccesskey|stringtosign)>)"
    r"([^\s'\"&,;<>}\\]+)",
    re.IGNORECASE,
)
_LARGEST = 1 << 16
_DEEPEST = 32


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A reference to a secret; the value is read by `reveal` and never kept.

    >>> Secret("env:IQM_TOKEN")
    Secret('env:IQM_TOKEN')
    >>> f"Bearer {Secret('env:IQM_TOKEN')}"
    'Bearer env:IQM_TOKEN ***'

    Attributes:
        reference: `env:NAME`, `file:PATH` (`~` allowed), `keyring:SERVICE/USER`, or
            `keyring:NAME`, which is user NAME of service `qdmi`.
    """

    reference: str

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str) or not _REFERENCE.fullmatch(self.reference):
            # What came may be the secret itself: do not repeat it.
            raise ConfigError(f"this is no reference to a secret (not shown); write {HOW}")

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __str__(self) -> str:
        return f"{self.reference} ***"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def reveal(self) -> str:
        """Read the secret now; a line break at the end of a file is dropped.

        Raises:
            ConfigError: There is nothing to read; names the reference, never what was read.
            MissingPluginError: The reference needs the `keyring` package.
        """
        kind, _, place = self.reference.partition(":")
        read = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}[kind]
        value = read(place, self.reference)
        if not value:
            raise ConfigError(
                f"secret {self.reference!r} is empty or not set; set it and try again"
            )
        return value


def redacted(text: str) -> str:
    """Return text from elsewhere without bearer tokens, AWS session tokens and signatures.

    >>> redacted("GET https://s3/x?X-Amz-Signature=c0ffee&X-Amz-Expires=900, 'Bearer abc.def'")
    "GET https://s3/x?X-Amz-Signature=***&X-Amz-Expires=900, 'Bearer ***'"
    """
    return _TOLD.sub(lambda found: f"{found[1]}***", text)


def is_secret(key: str) -> bool:
    """Return whether an option of this name holds a credential.

    >>> [is_secret(key) for key in ("token", "iqm_api_key", "tokens_file", "sort_key")]
    [True, True, False, False]
    """
    words = [word for word in re.split(r"[^a-z0-9]+", _CAMEL.sub("_", key).lower()) if word]
    if not words:
        return False
    if words[-1] in ("key", "keys"):
        return len(words) == 1 or not _HARMLESS.fullmatch(words[-2])
    return _ENDING.search(words[-1]) is not None


def refuse_userinfo(text: str, what: str) -> None:
    """Raise if `text` holds a URL with a user or password in it, without showing it.

    Raises:
        ConfigError: It does; names `what`.
    """
    if _USERINFO.search(text):
        raise ConfigError(
            f"{what} is a URL with a user name or password in it (not shown); write the URL "
            f"without them and give the secret as an option of its own: {HOW}"
        )


def guarded(key: str, value: object, origin: str, home: str | None = None) -> object:
    """Return an option's value with references as `Secret`s and `~` of `..._file` expanded.

    Args:
        key: The option's name, dotted inside a table (`"auth.token"`).
        value: Anything; tables and arrays are checked throughout.
        origin: Where it was set, for the message.
        home: What `~` stands for.

    Raises:
        ConfigError: A secret is given literally; the message does not contain it.
    """
    return _guarded(key, value, origin, home, 0)


def _guarded(key: str, value: object, origin: str, home: str | None, depth: int) -> object:
    if depth > _DEEPEST:
        raise ConfigError(
            f"{origin}: {key.split('.')[0]!r} is nested deeper than {_DEEPEST} levels"
        )
    if isinstance(value, Secret):
        return value
    last = key.rpartition(".")[2]
    if is_secret(last) and value is not None:
        if isinstance(value, str) and _REFERENCE.fullmatch(value):
            return Secret(value)
        raise ConfigError(
            f"{origin}: {key!r} is a secret and must be a reference, not the value itself "
            f"(not shown); write {HOW}"
        )
    if isinstance(value, str):
        refuse_userinfo(value, f"{origin}: {key!r}")
        if home and last.endswith("_file") and (value == "~" or value.startswith("~/")):
            return home + value[1:]
    elif isinstance(value, dict):
        return {
            name: _guarded(f"{key}.{name}", item, origin, home, depth + 1)
            for name, item in value.items()
        }
    elif type(value) is list or type(value) is tuple:
        items = (_guarded(key, item, origin, home, depth + 1) for item in value)
        return list(items) if type(value) is list else tuple(items)
    return value


def _from_environment(name: str, reference: str) -> str:
    return os.environ.get(name, "")


def _from_file(name: str, reference: str) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "no home directory"
        raise ConfigError(f"secret {reference!r} cannot be read: {reason}") from error
    if len(content) > _LARGEST:
        raise ConfigError(f"secret {reference!r} is larger than {_LARGEST} bytes: the wrong file?")
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        pass  # that error holds the contents: it must not become the context of ours
    raise ConfigError(f"secret {reference!r} is not UTF-8 text: the wrong file?")


def _from_keyring(name: str, reference: str) -> str:
    try:
        keyring, errors = import_module("keyring"), import_module("keyring.errors")
    except ImportError as error:
        raise MissingPluginError(
            f"secret {reference!r} needs the package keyring: pip install keyring"
        ) from error
    service, _, user = name.rpartition("/")
    try:
        value: str | None = keyring.get_password(service or "qdmi", user)
    except errors.KeyringError as error:
        raise ConfigError(
            f"secret {reference!r} cannot be read: the keyring refused ({type(error).__name__}); "
            "unlock it and try again"
        ) from error
    return value or ""
