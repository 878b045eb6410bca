"""Every property that mqt-core's own bindings report equals ours, device by device."""

from __future__ import annotations

import pytest

from tests.native.libraries import INSTALLED, needs_core, opened
from tests.native.oracle import facts_of, opened_by_mqt

pytestmark = needs_core

DEVICES = sorted(name for name in INSTALLED if name.startswith("mqt."))
OLD = {"needscalibration", "pulsesupport", "id"}
"""What one of the two bindings has no function for."""


def without(values, *names):
    return {key: value for key, value in values.items() if key not in names}


def listed(places, name):
    if places is None or name != "mqt.na.default":
        return None if places is None else list(places)
    # That library orders its pairs by their addresses, which differ from session to session.
    return sorted(tuple(sorted(place)) for place in places)


@pytest.mark.parametrize("name", DEVICES)
def test_every_property_equals_theirs(name):
    theirs = facts_of(opened_by_mqt(name))
    with opened(name, num_qubits=10**6) as session:
        ours, state = session.raw, session.status()
    assert without(ours.values, *OLD) == theirs["values"]
    assert (state.status.value, state.queue_length) == (theirs["status"], theirs["queue_length"])
    zones = [site.values.get("iszone") or None for site in ours.sites]
    sites = [without(site.values, "iszone") for site in ours.sites]
    for site, zone, other in zip(sites, zones, theirs["sites"], strict=True):
        assert site | ({"iszone": True} if zone else {}) == other
    assert (None if ours.coupling is None else list(ours.coupling)) == theirs["coupling"]
    assert [each.name for each in ours.formats] == theirs["formats"]
    assert ours.children == theirs["children"]
    assert len(ours.operations) == len(theirs["operations"])
    for own, other in zip(ours.operations, theirs["operations"], strict=True):
        values = own.values if own.values.get("iszoned") else without(own.values, "iszoned")
        assert values == other["values"]
        assert listed(own.places, name) == listed(other["places"], name)
        for place, figures in other["figures"].items():
            general = {k: v for k, v in own.values.items() if k in figures}
            assert {**general, **own.figures.get(place, {})} == figures, (own.name, place)
