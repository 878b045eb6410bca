"""What can be said about an IQM device, checked before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.options import DeviceOptions, parse
from qdmi_qiskit.secret import Secret

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ENVIRONMENT = {
    "url": "IQM_SERVER_URL",
    "quantum_computer": "IQM_QUANTUM_COMPUTER",
}
_SERVICES = 'such as url="https://resonance.iqm.tech"'


class IQMOptions(DeviceOptions):
    """Options of `iqm:`.

    Attributes:
        url: Of the IQM Server; https, or http on loopback. Else `$IQM_SERVER_URL`.
        token: By reference. Else `$IQM_TOKEN`, unless `tokens_file` is given.
        tokens_file: JSON with `access_token`, read again before it expires. Else
            `$IQM_TOKENS_FILE`, unless a token is given.
        quantum_computer: Alias or id, where the name is just `iqm:`. Else
            `$IQM_QUANTUM_COMPUTER`.
        calibration_set: Id of the set to use; the server's default at opening if not given.
        heralding: `zeros` measures before each shot and discards those not in the ground state:
            fewer shots come back.
        active_reset_cycles: Resets before each shot instead of waiting; 0 does neither.
        dynamical_decoupling: Whether the server fills idle times with pulses.
        dd_strategy: Which pulses, as IQM's `DDStrategy`; the server's own choice if not given.
        max_circuit_duration_over_t2: Longer circuits are refused by the server; 0 turns that off.
        move_gate_validation: How strictly the server looks at MOVEs; star devices only.
        move_gate_frame_tracking: Which phases of MOVEs the server corrects; star devices only.
        use_timeslot: Whether jobs go into the time slot that is booked for this account.
        max_job_bytes: Largest submission to send; more circuits go out as several jobs behind one.
            If not given, that is done once the server has refused one for its size.
        qubit_mapping: Refused: circuits here are compiled for physical qubits.
        timeout: Seconds to wait for an answer of the server.
    """

    url: str
    token: Secret | None = None
    tokens_file: str | None = None
    quantum_computer: str | None = None
    calibration_set: str | None = None
    heralding: Literal["none", "zeros"] = "none"
    active_reset_cycles: int | None = Field(default=None, ge=0)
    dynamical_decoupling: bool = False
    dd_strategy: dict[str, Any] | None = None
    max_circuit_duration_over_t2: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    move_gate_validation: Literal["strict", "allow_prx", "none"] = "strict"
    move_gate_frame_tracking: Literal["full", "no_detuning_correction", "none"] = "full"
    use_timeslot: bool = False
    max_job_bytes: int | None = Field(default=None, ge=1)
    qubit_mapping: dict[str, str] | None = None
    timeout: float = Field(default=120.0, gt=0, allow_inf_nan=False)

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        if not url.isascii():
            raise ValueError("a URL of ASCII characters")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a URL, {_SERVICES}")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("https: over plain http a token could be read on the way")
        if parts.query or parts.fragment:
            raise ValueError("a URL without ? and #")
        return url.rstrip("/").removesuffix("/api/v1")

    @field_validator("calibration_set")
    @classmethod
    def _uuid(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                UUID(text)
            except ValueError:
                raise ValueError("the id of a calibration set, a UUID") from None
        return text

    @field_validator("qubit_mapping")
    @classmethod
    def _refused(cls, mapping: dict[str, str] | None) -> None:
        if mapping is not None:
            raise ValueError(
                "nothing: circuits are compiled for physical qubits; choose them by "
                "generate_preset_pass_manager(..., initial_layout=[...])"
            )

    @model_validator(mode="after")
    def _together(self) -> IQMOptions:
        if self.token is not None and self.tokens_file is not None:
            raise ValueError("token and tokens_file are both given: give one of them")
        if self.dd_strategy is not None and not self.dynamical_decoupling:
            raise ValueError("dd_strategy says how, but dynamical_decoupling is off: turn it on")
        if self.move_gate_validation == "none" and self.move_gate_frame_tracking == "full":
            raise ValueError(
                "move_gate_validation='none' needs move_gate_frame_tracking='none' or "
                "'no_detuning_correction': phases of MOVEs that nobody checked cannot be tracked"
            )
        return self

    def request(self) -> dict[str, Any]:
        """Return the fields of a job that the user set, in IQM's words."""
        words: dict[str, Any] = {}
        if self.heralding != "none":
            words["heralding_mode"] = self.heralding
        if self.dynamical_decoupling:
            words["dd_mode"] = "enabled"
        for ours in (
            "active_reset_cycles",
            "dd_strategy",
            "max_circuit_duration_over_t2",
            "move_gate_validation",
            "move_gate_frame_tracking",
        ):
            if ours in self.model_fields_set and getattr(self, ours) is not None:
                words[ours] = getattr(self, ours)
        return words


def options_from(
    given: Mapping[str, object], locator: str, environ: Mapping[str, str] | None = None
) -> IQMOptions:
    """Return options; what is not given explicitly comes from IQM's environment variables.

    Args:
        given: Keywords and profile.
        locator: Alias or id of the quantum computer; empty if the name has none.
        environ: Instead of the process's environment.

    Raises:
        ConfigError: An option is missing or wrong.
    """
    environ = os.environ if environ is None else environ
    known = {key: value for key, value in given.items() if value is not None}
    if locator and known.setdefault("quantum_computer", locator) != locator:
        raise ConfigError(
            f"name 'iqm:{locator}' and option quantum_computer={known['quantum_computer']!r} "
            "contradict each other: give one of them"
        )
    for key, variable in _ENVIRONMENT.items():
        if key not in known and environ.get(variable):
            known[key] = environ[variable]
    if not {"token", "tokens_file"} & known.keys():
        _credentials(known, environ)
    if "url" not in known:
        raise ConfigError(
            f"iqm: nobody says which server: give url=..., {_SERVICES}, or set IQM_SERVER_URL"
        )
    return parse(IQMOptions, known, device="iqm")


def _credentials(known: dict[str, object], environ: Mapping[str, str]) -> None:
    variables = [name for name in ("IQM_TOKEN", "IQM_TOKENS_FILE") if environ.get(name)]
    if len(variables) == 2:
        raise ConfigError(
            'IQM_TOKEN and IQM_TOKENS_FILE are both set: unset one, or give token="env:IQM_TOKEN"'
        )
    if "IQM_TOKEN" in variables:
        known["token"] = Secret("env:IQM_TOKEN")
    elif variables:
        known["tokens_file"] = environ["IQM_TOKENS_FILE"]
