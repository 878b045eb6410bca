"""Bearer tokens, by iqm-client's `TokenManager`."""

from __future__ import annotations

import re
from threading import Lock

import requests
from iqm.station_control.client.authentication import ClientAuthenticationError, TokenManager

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.secret import Secret, redacted

_HEADER = re.compile(r"Bearer [!-~]+")


class Tokens(requests.auth.AuthBase):
    """Puts the token that is valid now on every request; holds none that came by reference.

    Being the session's `auth`, it also keeps requests from looking into `~/.netrc`.
    """

    def __init__(self, token: Secret | None, tokens_file: str | None) -> None:
        self._token, self._tokens_file = token, tokens_file
        self._lock = Lock()
        self._manager = self._fresh()

    def __repr__(self) -> str:
        return f"Tokens({self._token or self._tokens_file!r})"

    def _fresh(self) -> TokenManager:
        secret = self._token
        if secret is not None:
            return TokenManager(
                auth_header_callback=lambda: f"Bearer {secret.reveal()}", use_env_vars=False
            )
        return TokenManager(tokens_file=self._tokens_file, use_env_vars=False)

    def forget(self) -> None:
        """Read the token anew for the next request: the server refused the one it got."""
        with self._lock:
            self._manager = self._fresh()

    def header(self) -> str | None:
        """Return the value of the header `Authorization`.

        Raises:
            ConfigError: There is no valid token to read.
        """
        with self._lock:
            callback = self._manager.get_auth_header_callback()
            if callback is None:
                return None
            try:
                header = str(callback())
            except ClientAuthenticationError as error:
                message = str(error)
            else:
                # What no header can hold would stand in an error of the libraries below.
                if _HEADER.fullmatch(header):
                    return header
                raise ConfigError(
                    f"no IQM token: {self._token or self._tokens_file!r} holds spaces, line breaks "
                    "or other characters that no token has (not shown)"
                )
        # Its cause can hold the contents of the file: it must not become the context of ours.
        raise ConfigError(f"no IQM token: {message}; renew {self._tokens_file}")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if header := self.header():
            request.headers["Authorization"] = header
        return request

    def hidden(self, text: str) -> str:
        """Return `text` with the token and signatures blotted out, should a server echo them."""
        try:
            header = self.header() or ""
        except ConfigError:
            return redacted(text)
        token = header.removeprefix("Bearer ").strip()
        return redacted(text.replace(token, "***") if token else text)
