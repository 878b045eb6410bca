import importlib
import subprocess
import sys

import pytest

from qdmi_qiskit import config, registry
from qdmi_qiskit.config import Resolved, Setting
from qdmi_qiskit.device import Session
from qdmi_qiskit.errors import ConfigError, MissingPluginError, ProtocolError

PLUGIN = """
from qdmi_qiskit.device import Session

class FakeSession(Session):
    def __init__(self, locator, options):
        self.opened = (locator, options)
    def spec(self): raise NotImplementedError
    def submit(self, tasks, *, key): raise NotImplementedError

class Driver:
    def open(self, locator, **options): return FakeSession(locator, options)
    def names(self, **options): return ("a", "b")

class Closed:
    def open(self, locator, **options): return 5
    def names(self, **options): return ()

class Deaf:
    names = ()

driver, closed, deaf = Driver(), Closed(), Deaf()
"""


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "none")
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("QDMI_BACKEND", "QDMI_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Make a distribution with entry points, as pip would, and forget it afterwards."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def make(name, points, modules=None, extras=(), noticed=True):
        info = site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        lines = [f"Provides-Extra: {extra}\n" for extra in extras]
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (info / "METADATA").write_text(head + "".join(lines))
        body = "".join(f"{scheme} = {value}\n" for scheme, value in points.items())
        (info / "entry_points.txt").write_text("[qdmi_qiskit.devices]\n" + body)
        for module, text in (modules or {}).items():
            (site / f"{module}.py").write_text(text)
            monkeypatch.delitem(sys.modules, module, raising=False)
        if noticed:
            importlib.invalidate_caches()
            registry._scan.cache_clear()

    yield make
    for module in list(sys.modules):
        if module.startswith("qq_"):
            del sys.modules[module]
    registry._scan.cache_clear()


def test_schemes_lists_a_third_party_without_importing_it(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": "raise SystemExit"})
    assert "acme" in registry.schemes()
    assert "qq_acme" not in sys.modules
    assert list(registry.schemes()) == sorted(registry.schemes())


def test_importing_the_registry_imports_neither_metadata_nor_qiskit():
    code = (
        "import sys, qdmi_qiskit.registry as r; names = set(sys.modules);"
        "print(sorted(n for n in names if n in ('qiskit', 'importlib.metadata', 'pydantic')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_device_is_opened_with_its_locator_and_options(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN})
    session = registry.open_device("acme:one:two", seed=5)
    assert isinstance(session, Session)
    assert session.opened == ("one:two", {"seed": 5})
    assert registry.open_device("acme").opened == ("", {})
    assert list(registry.driver("acme").names()) == ["a", "b"]


def test_an_option_called_name_reaches_the_plugin(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN})
    assert registry.open_device("acme", name="x").opened == ("", {"name": "x"})


def test_a_profile_is_opened(install, tmp_path):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN})
    file = tmp_path / "mine.toml"
    file.write_text("[backends.lab]\ndevice = 'acme:one'\nseed = 3\n")
    resolved = config.resolve("lab", config=file, environ={})
    assert registry.open_session(resolved).opened == ("one", {"seed": 3})


def test_an_unknown_scheme_gets_the_nearest(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"})
    with pytest.raises(ConfigError, match=r"device scheme 'acne'; did you mean 'acme'\?"):
        registry.open_device("acne:one")
    with pytest.raises(ConfigError, match=r"device scheme 'acne'; did you mean 'acme'\?"):
        registry.driver("acne")


def test_an_unknown_bare_name_gets_the_nearest_profile_and_its_origin():
    resolved = Resolved("labb", "labb", device_origin="/x.toml default", known=("lab",))
    wanted = r"profile 'labb' \(/x.toml default\); did you mean 'lab'\?"
    with pytest.raises(ConfigError, match=wanted):
        registry.open_session(resolved)


def test_an_unknown_scheme_with_a_locator_is_not_taken_for_a_profile():
    resolved = Resolved("labb:x", "labb", "x", known=("lab",))
    with pytest.raises(ConfigError, match="no device scheme 'labb'; known: ") as caught:
        registry.open_session(resolved)
    assert "'lab'" not in str(caught.value)


def test_a_scheme_installed_since_the_last_look_is_found(install):
    assert "acme" not in registry.schemes()
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN}, noticed=False)
    assert registry.driver("acme").names() == ("a", "b")


def test_two_claims_to_one_scheme_name_both(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN})
    install("other-qdmi", {"acme": "qq_other:driver"})
    wanted = r"acme-qdmi \(qq_acme:driver\) and other-qdmi \(qq_other:driver\); uninstall"
    with pytest.raises(ConfigError, match=wanted):
        registry.driver("acme")
    assert "acme" in registry.schemes()


def test_two_equal_claims_are_one(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN})
    install("acme-again", {"acme": "qq_acme:driver"})
    assert registry.driver("acme").names() == ("a", "b")


def test_a_missing_module_of_ours_names_the_extra(install):
    points = {"iqm": "qq_iqm:driver", "aer": "qq_iqm:driver"}
    install("qdmi_qiskit", points, {"qq_iqm": "import qq_not_there"}, extras=["iqm"])
    wanted = r"'iqm' needs 'qq_not_there' .*: pip install 'qdmi-qiskit\[iqm\]'$"
    with pytest.raises(MissingPluginError, match=wanted):
        registry.driver("iqm")
    with pytest.raises(MissingPluginError, match=r"pip install 'qdmi-qiskit'$"):
        registry.driver("aer")


def test_a_missing_module_of_a_third_party_names_its_distribution(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": "import qq_not_there"})
    with pytest.raises(MissingPluginError, match=r"'qq_not_there' .*: pip install 'acme-qdmi'$"):
        registry.driver("acme")


def test_an_import_that_fails_without_a_name_keeps_its_words(install):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": "raise ImportError('too old')"})
    with pytest.raises(MissingPluginError, match=r"cannot be imported \(too old\)"):
        registry.driver("acme")


def test_an_entry_point_that_names_nothing_is_the_plugins_fault(install):
    install("acme-qdmi", {"acme": "qq_acme:nothing"}, {"qq_acme": PLUGIN})
    with pytest.raises(ProtocolError, match=r"qq_acme:nothing, from acme-qdmi.*report it"):
        registry.driver("acme")


def test_a_driver_that_lacks_its_methods_is_the_plugins_fault(install):
    install("acme-qdmi", {"acme": "qq_acme:deaf"}, {"qq_acme": PLUGIN})
    with pytest.raises(ProtocolError, match=r"has no open\(\) and no names\(\)"):
        registry.driver("acme")


def test_a_driver_that_opens_no_session_is_the_plugins_fault(install):
    install("acme-qdmi", {"acme": "qq_acme:closed"}, {"qq_acme": PLUGIN})
    with pytest.raises(ProtocolError, match="opened a int; wanted a Session"):
        registry.open_device("acme")


@pytest.mark.parametrize("name", ["locator", "self"])
def test_an_option_that_would_clash_with_the_call_is_refused(install, name):
    install("acme-qdmi", {"acme": "qq_acme:driver"}, {"qq_acme": PLUGIN})
    resolved = Resolved("acme", "acme", settings={name: Setting(5, "environment X")})
    with pytest.raises(ConfigError, match=rf"option '{name}' \(environment X\).*'acme:LOCATOR'"):
        registry.open_session(resolved)
