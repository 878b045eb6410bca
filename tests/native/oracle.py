"""A device as mqt-core's own bindings see it, one device at a time."""

from __future__ import annotations

from importlib import import_module


def opened_by_mqt(name):
    """Open one device; mqt-core's listing of devices would open vendors' clouds."""
    for module in ("mqt.core.qdmi.builtin_driver", "mqt.core.qdmi.driver"):  # 4.1 and 3.9
        try:
            return import_module(module).open_device(name)
        except ModuleNotFoundError:
            continue
    raise AssertionError("this mqt-core opens devices in yet another way")


def facts_of(device):
    """Return what `NativeSession.raw` holds, by mqt-core's bindings."""
    sites = device.sites()
    where = {site.index(): position for position, site in enumerate(sites)}
    coupling = device.coupling_map()
    return {
        "values": _said(
            name=device.name(),
            version=device.version(),
            libraryversion=device.library_version(),
            qubitsnum=device.qubits_num(),
            lengthunit=device.length_unit(),
            lengthscalefactor=device.length_scale_factor(),
            durationunit=device.duration_unit(),
            durationscalefactor=device.duration_scale_factor(),
            minatomdistance=device.min_atom_distance(),
        ),
        "status": device.status().name.lower(),
        "queue_length": device.queue_length(),
        "sites": [_site(site) for site in sites],
        "coupling": None
        if coupling is None
        else [(where[a.index()], where[b.index()]) for a, b in coupling],
        "formats": [each.name.replace("_", "") for each in device.supported_program_formats()],
        "operations": [_operation(each, sites, where) for each in device.operations()],
        "children": len(device.child_devices()),
    }


def _said(**values):
    return {name: value for name, value in values.items() if value is not None}


def _site(site):
    return _said(
        index=site.index(),
        t1=site.t1(),
        t2=site.t2(),
        name=site.name(),
        xcoordinate=site.x_coordinate(),
        ycoordinate=site.y_coordinate(),
        zcoordinate=site.z_coordinate(),
        xextent=site.x_extent(),
        yextent=site.y_extent(),
        zextent=site.z_extent(),
        moduleindex=site.module_index(),
        submoduleindex=site.submodule_index(),
        iszone=site.is_zone() or None,
    )


def _operation(operation, sites, where):
    size = operation.qubits_num()
    places = None
    found = operation.sites()
    if found is not None and operation.is_zoned():
        places = [(where[site.index()],) for site in found]
    elif found is not None and size == 2:
        places = [tuple(where[site.index()] for site in pair) for pair in operation.site_pairs()]
    elif found is not None:
        flat = [where[site.index()] for site in found]
        places = [tuple(flat[k : k + size]) for k in range(0, len(flat), size)]
    return {
        "values": _said(
            name=operation.name(),
            qubitsnum=size,
            parametersnum=operation.parameters_num(),
            interactionradius=operation.interaction_radius(),
            blockingradius=operation.blocking_radius(),
            meanshuttlingspeed=operation.mean_shuttling_speed(),
            iszoned=operation.is_zoned() or None,
            **_figures(operation, []),
        ),
        "places": places,
        "figures": {
            place: _figures(operation, [sites[position] for position in place])
            for place in places or ()
        },
    }


def _figures(operation, on):
    return _said(
        duration=operation.duration(on),
        fidelity=operation.fidelity(on),
        idlingfidelity=operation.idling_fidelity(on),
    )
