"""The endpoints that manage tokens."""

from __future__ import annotations

import json
from typing import Any

from qdmi_qiskit.testing.iqm_server.replies import Refusal, Reply, reply
from qdmi_qiskit.testing.iqm_server.tokens import Tokens


def token_reply(
    tokens: Tokens, method: str, path: str, authorization: str | None, body: bytes
) -> Reply | None:
    """Return the answer to a request about tokens, or None if it is about something else.

    Raises:
        Refusal: The request is refused.
    """
    kind, _, rest = path.partition("/")
    if kind != "tokens":
        return None
    if (method, rest) == ("POST", "current/refresh"):
        wanted = _content(body).get("new_token_properties")
        if not isinstance(wanted, dict) or type(wanted.get("expires_in_seconds")) is not int:
            raise Refusal(400, "invalid_input", "new_token_properties.expires_in_seconds: wanted")
        active = wanted.get("activated", True) is True
        found = tokens.refreshed(authorization, wanted["expires_in_seconds"], active=active)
        return reply(found, 201)
    if (method, rest) == ("POST", "current/activate"):
        return reply(tokens.activate(authorization, str(_content(body).get("api_token"))))
    tokens.check(authorization)
    if (method, rest) == ("GET", ""):
        return reply({"tokens": tokens.active()})
    if method == "POST" and rest.endswith("/revoke"):
        return reply(tokens.revoke(rest.removesuffix("/revoke")))
    raise Refusal(404, "not_found", f"no {method} {path}")


def _content(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Refusal(400, "invalid_input", f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refusal(400, "invalid_input", "the body is not an object")
    return found
