"""The secrets of the tests, and how to find them wherever they are left."""

from __future__ import annotations

import base64
import json
import zlib
from urllib.parse import quote

KEY = "dummy+aws/secret+key+b41f0c77"
SESSION = "dummy+session/token+5e0d2a91=="
PASSWORD = "dummy-password-77aa10fe"  # noqa: S105 - a dummy
SIGNATURE = "dummy0signature0c0ffee0c0ffee0c0ffee"


def spellings(secret):
    """Return a secret as it is, quoted, escaped, and in base64."""
    text = secret.encode()
    coded = [base64.b64encode(b"x" * shift + text)[4 * bool(shift) : -4] for shift in range(3)]
    return {text, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), *coded}


def unpacked(content):
    """Return bytes, and whatever is compressed in them."""
    found = [content]
    for start in (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        place = content.find(start)
        while place >= 0 and len(found) < 500:
            try:
                gz = start == b"\x1f\x8b"
                found.append(zlib.decompressobj(31 if gz else 15).decompress(content[place:]))
            except zlib.error:
                pass
            place = content.find(start, place + 1)
    return found


def holding(artefacts, secrets):
    """Return which artefacts hold which secret, with what is before it."""
    found = []
    for name, content in artefacts.items():
        for each in unpacked(content):
            for label, secret in secrets.items():
                for spelling in spellings(secret):
                    place = each.find(spelling)
                    if place >= 0:
                        found.append((name, label, each[max(place - 300, 0) : place]))
    return found


def files(folder, but=()):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path not in but
    }


ALL = {
    "AWS key": KEY,
    "session token": SESSION,
    "password": PASSWORD,
    "token": "dummy-token-for-tests",
    "key of the Braket service": "loopback-only",
    "token of the IQM server": "loopback.eyJ",  # as all of them begin
    "token of a broken device": "hunter2-of-the-broken-device",
    "token in a journal": "dummy-secret",
}
"""What the tests use as secrets, by what it is."""


def left_behind(folder):
    """Return which files below a folder hold a secret, those left out that exist to hold one."""
    kept = {*folder.rglob("tokens*.json"), *folder.rglob("credentials")}
    return holding(files(folder, but=kept), ALL)
