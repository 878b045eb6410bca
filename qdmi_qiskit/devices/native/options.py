"""What can be said about a native device, checked before any library is loaded.

Only whoever gives an option imports this module: pydantic takes longer than a simulator's job.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from qdmi_qiskit.devices.native.profiles import BitOrder
from qdmi_qiskit.devices.native.settings import Custom
from qdmi_qiskit.options import DeviceOptions
from qdmi_qiskit.secret import Secret


class NativeOptions(DeviceOptions):
    """Options of `native:`. What a vendor's own slots mean is said by the vendor.

    Attributes:
        library: The library's file, absolute; instead of a manifest.
        prefix: Of its functions, such as `"IQM"`; goes with `library`.
        base_url: Session parameter BASEURL.
        token: Session parameter TOKEN, by reference.
        auth_file: Session parameter AUTHFILE.
        auth_url: Session parameter AUTHURL.
        username: Session parameter USERNAME.
        password: Session parameter PASSWORD, by reference.
        device_config: A file that describes the device, for libraries that take one.
        custom1: Session parameter CUSTOM1, as text; a number where the library wants one.
        custom2: Session parameter CUSTOM2.
        custom3: Session parameter CUSTOM3.
        custom4: Session parameter CUSTOM4.
        custom5: Session parameter CUSTOM5.
        job_custom1: Job parameter CUSTOM1 of every job, as text.
        job_custom2: Job parameter CUSTOM2.
        job_custom3: Job parameter CUSTOM3.
        job_custom4: Job parameter CUSTOM4.
        job_custom5: Job parameter CUSTOM5.
        child: Number of a child device, from 0; the device itself if not given.
        bit_order: Which classical bit the library's strings begin with. Only needed for
            libraries that this package does not know: QDMI leaves it open.
        num_qubits: Sites to offer, for simulators that name more than anybody needs.
        program_format: The one to send: `"qpy"`, `"qasm3"`, `"qasm2"`, `"iqm-json"` or
            `"qir-base"`; the first of these that the device takes if not given.
    """

    library: str | None = None
    prefix: str | None = None
    base_url: str | None = None
    token: Secret | None = None
    auth_file: str | None = None
    auth_url: str | None = None
    username: str | None = None
    password: Secret | None = None
    device_config: str | None = None
    custom1: Custom | None = None
    custom2: Custom | None = None
    custom3: Custom | None = None
    custom4: Custom | None = None
    custom5: Custom | None = None
    job_custom1: Custom | None = None
    job_custom2: Custom | None = None
    job_custom3: Custom | None = None
    job_custom4: Custom | None = None
    job_custom5: Custom | None = None
    child: int | None = Field(default=None, ge=0)
    bit_order: BitOrder | None = None
    num_qubits: int | None = Field(default=None, ge=1)
    program_format: str | None = None

    @model_validator(mode="after")
    def _together(self) -> NativeOptions:
        if (self.library is None) is not (self.prefix is None):
            raise ValueError("library and prefix belong together: give both or neither")
        return self
