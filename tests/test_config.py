import copy
import os
import pickle
import sys
import types

import pytest

from qdmi_qiskit import config
from qdmi_qiskit.config import Resolved, Secret, Setting, masked, profiles, resolve
from qdmi_qiskit.errors import ConfigError, MissingPluginError
from qdmi_qiskit.secret import is_secret

HIDDEN = "hunter2"


@pytest.fixture(autouse=True)
def system(tmp_path, monkeypatch):
    """No test sees this machine's own files."""
    path = tmp_path / "etc" / "config.toml"
    monkeypatch.setattr(config, "SYSTEM_CONFIG", path)
    for variable in [name for name in os.environ if name.startswith("QDMI_")]:
        monkeypatch.delenv(variable)
    return path


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def file(tmp_path):
    def save(text):
        return write(tmp_path / "mine.toml", text)

    return save


def refused(path, *words, name=None, overrides=None, environ=None):
    with pytest.raises(ConfigError) as caught:
        resolve(name, overrides, config=path, environ=environ or {})
    for word in words:
        assert word in str(caught.value)
    assert HIDDEN not in str(caught.value)
    return str(caught.value)


# Which device is meant.


def test_nothing_said_means_aer():
    assert resolve(environ={}) == Resolved(
        "aer", "aer", "", {}, "built-in default", "built-in default"
    )


def test_the_name_comes_from_argument_then_environment_then_file(file):
    path = file('default = "a"\n[backends.a]\ndevice = "iqm:a"\n')
    environ = {"QDMI_BACKEND": "braket:b"}
    said = resolve("native:c", config=path, environ=environ)
    assert (said.label, said.name_origin) == ("native:c", "keyword")
    said = resolve(config=path, environ=environ)
    assert (said.label, said.name_origin) == ("braket:b", "environment QDMI_BACKEND")
    said = resolve(config=path, environ={})
    assert (said.name, said.label, said.name_origin) == ("a", "iqm:a", f"{path} default")
    assert said.device_origin == f"{path} [backends.a]"


def test_an_empty_variable_is_no_name_and_no_file():
    assert resolve(environ={"QDMI_BACKEND": "", "QDMI_CONFIG": ""}).name == "aer"


def test_only_the_first_colon_parts_the_scheme_from_the_locator():
    said = resolve("braket:arn:aws:braket:::device/qpu/x", environ={})
    assert (said.scheme, said.locator) == ("braket", "arn:aws:braket:::device/qpu/x")
    assert said.label == "braket:arn:aws:braket:::device/qpu/x"


def test_a_scheme_with_an_empty_locator_is_labelled_by_the_scheme():
    assert resolve("aer:", environ={}).label == "aer"


def test_a_bare_name_that_is_no_profile_is_a_scheme_and_the_profiles_are_known(file):
    path = file('[backends.lab]\ndevice = "aer"\n[backends.Alpha]\ndevice = "aer"\n')
    said = resolve("labb", config=path, environ={})
    assert (said.scheme, said.locator, said.known) == ("labb", "", ("Alpha", "lab"))
    assert profiles(path, environ={}) == ("Alpha", "lab")


# Who wins.

LAYERS = """
[backends.lab]
device = "iqm:garnet"
a = "file"
b = "file"
c = "file"
"""


def test_keyword_beats_environment_beats_profile(file):
    path = file(LAYERS)
    environ = {"QDMI_LAB_A": "environment", "QDMI_LAB_B": "environment"}
    said = resolve("lab", {"a": "keyword"}, config=path, environ=environ)
    assert said.settings == {
        "a": Setting("keyword", "keyword"),
        "b": Setting("environment", "environment QDMI_LAB_B"),
        "c": Setting("file", f"{path} [backends.lab]"),
    }
    assert said.options == {"a": "keyword", "b": "environment", "c": "file"}


def test_an_explicit_none_beats_the_profile(file):
    assert resolve("lab", {"a": None}, config=file(LAYERS), environ={}).options["a"] is None


def test_the_first_file_wins_for_each_key(tmp_path, home, system):
    write(system, 'default = "lab"\n[backends.lab]\ndevice = "aer"\na = 1\nb = 1\nc = 1\n')
    write(home / ".config/qdmi/config.toml", "[backends.lab]\na = 2\nb = 2\n")
    mine = write(tmp_path / "mine.toml", "[backends.lab]\na = 3\n")
    said = resolve(environ={"HOME": str(home), "QDMI_CONFIG": str(mine)})
    assert (said.name, said.scheme) == ("lab", "aer")
    assert said.options == {"a": 3, "b": 2, "c": 1}
    assert said.settings["b"].origin == f"{home}/.config/qdmi/config.toml [backends.lab]"
    assert said.settings["c"].origin == f"{system} [backends.lab]"


def test_the_keyword_config_replaces_the_variable(tmp_path, file):
    other = write(tmp_path / "other.toml", 'default = "other:"')
    environ = {"QDMI_CONFIG": str(file('default = "mine:"'))}
    assert resolve(config=other, environ=environ).scheme == "other"
    assert resolve(environ=environ).scheme == "mine"


def test_the_folder_of_xdg_is_read_in_place_of_home(tmp_path, home):
    write(home / ".config/qdmi/config.toml", 'default = "home:"')
    write(tmp_path / "xdg/qdmi/config.toml", 'default = "xdg:"')
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert resolve(environ=environ).scheme == "xdg"


@pytest.mark.parametrize("environ", [{}, {"HOME": "."}, {"XDG_CONFIG_HOME": "."}])
def test_the_current_directory_is_never_read(tmp_path, monkeypatch, environ):
    for place in ("config.toml", "qdmi/config.toml", ".config/qdmi/config.toml"):
        write(tmp_path / place, 'default = "evil:"')
    monkeypatch.chdir(tmp_path)
    assert resolve(environ=environ).scheme == "aer"


def test_a_tilde_in_the_variable_means_home(home):
    write(home / "q.toml", 'default = "mine:"')
    assert resolve(environ={"HOME": str(home), "QDMI_CONFIG": "~/q.toml"}).scheme == "mine"


# Profiles of profiles.

CHAIN = """
[backends.top]
device = "middle"
a = "top"
[backends.middle]
device = "bottom"
a = "middle"
b = "middle"
[backends.bottom]
device = "iqm:garnet"
a = "bottom"
b = "bottom"
c = "bottom"
"""


def test_the_referring_profile_wins_along_a_chain(file):
    path = file(CHAIN)
    said = resolve("top", config=path, environ={})
    assert (said.name, said.label) == ("top", "iqm:garnet")
    assert said.options == {"a": "top", "b": "middle", "c": "bottom"}
    assert said.device_origin == f"{path} [backends.bottom]"


def test_every_profile_of_the_chain_hears_its_variables_and_nobody_elses(file):
    environ = {"QDMI_BOTTOM_C": "9", "QDMI_IQM_URL": "no", "QDMI_OTHER_A": "no"}
    said = resolve("top", config=file(CHAIN), environ=environ)
    assert said.options == {"a": "top", "b": "middle", "c": 9}


def test_a_variable_that_belongs_to_nobody_in_the_chain_is_not_even_checked(file):
    environ = {"QDMI_IQM_TOKEN": HIDDEN}
    assert resolve("top", config=file(CHAIN), environ=environ).scheme == "iqm"


def test_a_cycle_shows_the_chain(file):
    text = '[backends.a]\ndevice = "b"\n[backends.b]\ndevice = "c"\n[backends.c]\ndevice = "b"\n'
    refused(file(text), "a -> b -> c -> b", "scheme:locator", name="a")


def test_a_profile_named_like_its_scheme_is_told_to_write_a_colon(file):
    refused(file('[backends.aer]\ndevice = "aer"\n'), "aer -> aer", "'aer:'", name="aer")
    said = resolve("aer", config=file('[backends.aer]\ndevice = "aer:"\nx = 1\n'), environ={})
    assert (said.label, said.options) == ("aer", {"x": 1})


# The environment.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30),
        ("2.5", 2.5),
        ("true", True),
        ('"30"', "30"),
        ("[1, 2]", [1, 2]),
        ("garnet", "garnet"),
        ("007", "007"),
        ("True", "True"),
        ("{a = 1}", "{a = 1}"),
        ("1\nb = 2", "1\nb = 2"),
        ("", ""),
        ("[" * 5000, "[" * 5000),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_variable_is_a_toml_value_or_else_a_string(text, value):
    got = resolve("aer", environ={"QDMI_AER_X": text}).options["x"]
    assert got == value
    assert type(got) is type(value)


def test_a_direct_name_hears_the_variables_of_its_scheme():
    environ = {"QDMI_IQM_URL": "https://x", "QDMI_IQM_DEVICE": "aer", "QDMI_BRAKET_REGION": "y"}
    said = resolve("iqm:garnet", environ=environ)
    assert (said.label, said.options) == ("iqm:garnet", {"url": "https://x"})


def test_the_longest_profile_owns_a_variable(file):
    path = file('[backends.lab]\ndevice = "aer"\n[backends.lab-2]\ndevice = "aer"\n')
    environ = {"QDMI_LAB_2_SEED": "7", "QDMI_LAB_SEED": "8"}
    assert resolve("lab", config=path, environ=environ).options == {"seed": 8}
    assert resolve("lab-2", config=path, environ=environ).options == {"seed": 7}


def test_the_environment_replaces_the_device(file):
    said = resolve("lab", config=file(LAYERS), environ={"QDMI_LAB_DEVICE": "aer"})
    assert (said.label, said.device_origin) == ("aer", "environment QDMI_LAB_DEVICE")
    assert said.options == {"a": "file", "b": "file", "c": "file"}


def test_a_profile_can_live_in_the_environment_alone():
    environ = {
        "QDMI_BACKEND": "job",
        "QDMI_JOB_DEVICE": "iqm:garnet",
        "QDMI_JOB_TOKEN": "env:IQM_TOKEN",
    }
    said = resolve(environ=environ)
    assert (said.name, said.label) == ("job", "iqm:garnet")
    assert said.options == {"token": Secret("env:IQM_TOKEN")}


def test_backend_and_config_are_never_settings(file):
    environ = {"QDMI_BACKEND": "qdmi", "QDMI_CONFIG": str(file("[backends.backend]\ndevice='a'"))}
    assert resolve(environ=environ).options == {}
    assert resolve("backend", environ=environ).options == {}


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("QDMI_BACKEND", "iqm:garnet")
    monkeypatch.delenv("HOME", raising=False)
    assert resolve().label == "iqm:garnet"


def test_device_by_keyword_is_an_option_of_the_plugin(file):
    said = resolve("lab", {"device": "GPU"}, config=file(LAYERS), environ={})
    assert (said.label, said.options["device"]) == ("iqm:garnet", "GPU")


# Bad names.


@pytest.mark.parametrize("name", ["", ":garnet", " aer", "aer\n", "a b", "-x", "iqm:a\tb"])
def test_a_name_of_a_wrong_form_is_shown(name):
    refused(None, repr(name), "keyword", "'iqm:garnet'", name=name)


def test_a_name_that_is_no_string_is_refused():
    refused(None, "type int", "keyword", name=5)


def test_a_name_with_a_password_is_refused_without_showing_it():
    refused(None, "user name or password", name=f"iqm:https://me:{HIDDEN}@host")


def test_a_backend_variable_with_a_password_is_refused_without_showing_it():
    environ = {"QDMI_BACKEND": f"iqm:https://me:{HIDDEN}@host"}
    refused(None, "environment QDMI_BACKEND", environ=environ)


# Bad files.


def test_a_named_file_that_does_not_exist_says_who_named_it(tmp_path):
    path = tmp_path / "none.toml"
    refused(path, str(path), "keyword config", "does not exist")
    refused(None, "environment QDMI_CONFIG", environ={"QDMI_CONFIG": str(path)})


def test_broken_toml_names_file_line_and_column(file):
    path = file('default = "a"\n[backends.lab]\ndevice = iqm:garnet\n')
    refused(path, f"{path}, line 3, column 10", "quotes")


def test_broken_toml_at_the_end_names_the_last_place(file):
    path = file('default = "a"\nx = [1,\n')
    refused(path, f"{path}, line 2, column 8")


def test_a_file_of_bytes_is_refused(tmp_path):
    path = tmp_path / "junk"
    path.write_bytes(b"ab\xff\x00")
    refused(path, str(path), "not UTF-8", "byte 2")


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b'\xef\xbb\xbfdefault = "mine:"\r\n')
    assert resolve(config=path, environ={}).scheme == "mine"


def test_a_folder_is_no_file(tmp_path):
    refused(tmp_path, str(tmp_path), "not a regular file")


def test_an_empty_config_keyword_is_no_file():
    refused("", "not a regular file")


def test_a_null_character_in_the_path_is_refused():
    refused("a\0b", "null character")


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")


def test_a_path_that_loops_cannot_be_read(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    refused(loop, str(loop), "cannot be read")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused_even_where_optional(home):
    path = write(home / ".config/qdmi/config.toml", "")
    path.chmod(0)
    refused(None, str(path), "Permission denied", environ={"HOME": str(home)})


def test_a_huge_file_is_refused(file):
    refused(file("#" * (1 << 20) + "\n"), "larger than 1048576 bytes")


def test_a_deeply_nested_file_is_refused(file):
    refused(file("x = " + "[" * 50000), "nested too deeply")


def test_an_unknown_key_gets_the_nearest(file):
    refused(file("[backend.lab]\ndevice = 'aer'\n"), "'backend'", "did you mean 'backends'?")


def test_backends_must_be_tables(file):
    refused(file("backends = 5\n"), "backends is of type int", "[backends.NAME]")


def test_a_backend_must_be_a_table(file):
    refused(file("[backends]\nlab = 'aer'\n"), "backends.lab is of type str")


def test_a_profile_with_a_colon_in_its_name_is_refused(file):
    refused(file("[backends.'iqm:garnet']\ndevice = 'aer'\n"), "'iqm:garnet'", "letters")


def test_a_profile_without_device_says_what_to_add(file):
    path = file("[backends.lab]\nseed = 1\n")
    refused(path, "'lab' has no device", f"{path} [backends.lab]", "device = ", name="lab")


def test_an_empty_profile_has_no_device(file):
    refused(file("[backends.lab]\n"), "'lab' has no device", "it is empty", name="lab")


def test_a_device_that_is_no_string_is_refused(file):
    path = file("[backends.lab]\ndevice = 5\n")
    refused(path, f"{path} [backends.lab]", "type int", name="lab")


def test_a_default_that_is_no_string_is_refused(file):
    refused(file("default = 5\n"), "default", "type int")


def test_an_empty_default_is_refused(file):
    refused(file("default = ''\n"), "default", "is ''")


# Secrets.


@pytest.mark.parametrize(
    "key",
    [
        *("token", "tokens", "password", "secret", "api_key", "access_key", "secret_access_key"),
        *("session_token", "private_key", "credential", "credentials", "key", "Token", "apiKey"),
        *("API-Key", "apikey", "iqm_token", "db_password", "client_secret", "iqm_key", "APIToken"),
        *("passphrase", "Authorization"),
    ],
)
def test_the_name_of_a_secret_is_known(key):
    assert is_secret(key)
    refused(None, "keyword", "env:NAME", "keyring:NAME", overrides={key: HIDDEN})


@pytest.mark.parametrize(
    "key",
    [
        *("tokens_file", "token_file", "key_file", "token_url", "access_key_id", "sort_key"),
        *("public_key", "monkey", "seed", "url", "tokenizer", "s3_key", "-"),
    ],
)
def test_the_name_of_no_secret_is_let_through(key):
    assert not is_secret(key)
    assert resolve(overrides={key: "open"}, environ={}).options[key] == "open"


@pytest.mark.parametrize("text", ["env:IQM_TOKEN", "file:~/t", "keyring:iqm", "keyring:a/b"])
def test_a_reference_becomes_a_secret(file, text):
    path = file(f"[backends.lab]\ndevice = 'aer'\ntoken = '{text}'\n")
    assert resolve("lab", config=path, environ={}).options == {"token": Secret(text)}


def test_a_secret_by_keyword_is_kept():
    secret = Secret("env:X")
    assert resolve(overrides={"token": secret}, environ={}).options["token"] is secret
    assert resolve(overrides={"token": None}, environ={}).options["token"] is None


@pytest.mark.parametrize(
    "value", [f'"{HIDDEN}"', "12345", '["env:X"]', '{ env = "X" }', '"env:"', '"env:a b"', "true"]
)
def test_a_literal_secret_in_a_file_is_refused_without_showing_it(file, value):
    path = file(f"[backends.lab]\ndevice = 'aer'\ntoken = {value}\n")
    message = refused(path, f"{path} [backends.lab]", "'token'", "env:NAME")
    assert "12345" not in message


def test_a_literal_secret_in_the_environment_is_refused_without_showing_it():
    refused(None, "environment QDMI_AER_TOKEN", environ={"QDMI_AER_TOKEN": HIDDEN})


def test_a_literal_secret_in_a_nested_table_is_refused(file):
    path = file(f"[backends.lab]\ndevice = 'aer'\n[backends.lab.auth]\ntoken = '{HIDDEN}'\n")
    refused(path, "'auth.token'")


def test_a_literal_secret_in_a_table_in_an_array_is_refused():
    refused(None, "'auth.token'", overrides={"auth": ({"x": 1}, {"token": HIDDEN})})


def test_a_reference_in_a_nested_table_becomes_a_secret():
    said = resolve(overrides={"auth": [{"token": "env:X"}, (1, "a")]}, environ={})
    assert said.options["auth"] == [{"token": Secret("env:X")}, (1, "a")]


def test_a_value_that_contains_itself_is_refused():
    endless = []
    endless.append(endless)
    refused(None, "'x'", "nested deeper", overrides={"x": endless})


@pytest.mark.parametrize("url", [f"https://me:{HIDDEN}@host/x", f"https://{HIDDEN}@host"])
def test_a_url_with_a_password_is_refused_without_showing_it(url):
    refused(None, "'url'", "user name or password", overrides={"url": url})
    refused(None, "'urls'", overrides={"urls": [url]})


def test_a_url_with_an_at_sign_in_its_path_is_let_through():
    said = resolve(overrides={"url": "https://host/@me?x=a@b"}, environ={})
    assert said.options["url"] == "https://host/@me?x=a@b"


def test_a_tilde_in_a_file_option_means_home(file):
    path = file("[backends.lab]\ndevice = 'aer'\ntokens_file = '~/t.json'\nnote = '~/t.json'\n")
    said = resolve("lab", config=path, environ={"HOME": "/home/me"})
    assert said.options == {"tokens_file": "/home/me/t.json", "note": "~/t.json"}


def test_masked_shows_references_and_origins_only(monkeypatch):
    monkeypatch.setenv("IQM_TOKEN", HIDDEN)
    overrides = {"token": "env:IQM_TOKEN", "auth": {"password": "env:IQM_TOKEN"}, "shots": 5}
    said = resolve("iqm:x", overrides, environ={"QDMI_IQM_URL": "https://x"})
    assert masked(said) == [
        ("auth", "{'password': Secret('env:IQM_TOKEN')}", "keyword"),
        ("shots", "5", "keyword"),
        ("token", "env:IQM_TOKEN ***", "keyword"),
        ("url", "https://x", "environment QDMI_IQM_URL"),
    ]
    assert HIDDEN not in repr(said)


def test_a_secret_reads_the_environment_when_asked(monkeypatch):
    secret = Secret("env:IQM_TOKEN")
    monkeypatch.setenv("IQM_TOKEN", HIDDEN)
    assert secret.reveal() == HIDDEN
    monkeypatch.setenv("IQM_TOKEN", "other")
    assert secret.reveal() == "other"


def test_a_secret_reads_a_file_without_its_line_break(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t").write_text(f" {HIDDEN} \r\n")
    assert Secret("file:~/t").reveal() == f" {HIDDEN} "


def test_a_secret_never_shows_itself(monkeypatch):
    monkeypatch.setenv("IQM_TOKEN", HIDDEN)
    secret = Secret("env:IQM_TOKEN")
    secret.reveal()
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}"):
        assert "env:IQM_TOKEN" in shown
        assert HIDDEN not in shown
    pickled = pickle.dumps(secret)
    assert HIDDEN.encode() not in pickled
    again = pickle.loads(pickled)  # noqa: S301
    assert again == copy.deepcopy(secret) == secret
    assert hash(again) == hash(secret)


def unreadable(secret, *words, kind=ConfigError):
    with pytest.raises(kind) as caught:
        secret.reveal()
    for word in (secret.reference, *words):
        assert word in str(caught.value)
    error = caught.value
    while error is not None:
        assert HIDDEN not in f"{error!r} {getattr(error, 'object', '')}"
        error = error.__cause__ or error.__context__


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    unreadable(Secret("env:NOT_SET"), "not set")


def test_an_empty_file_holds_no_secret(tmp_path):
    (tmp_path / "t").write_text("\n")
    unreadable(Secret(f"file:{tmp_path}/t"), "empty")


def test_a_missing_file_is_named(tmp_path):
    unreadable(Secret(f"file:{tmp_path}/none"), "No such file")


def test_a_file_of_an_unknown_user_is_named():
    unreadable(Secret("file:~nobody-of-that-name/t"), "no home directory")


def test_a_secret_file_of_bytes_is_refused_without_showing_it(tmp_path):
    (tmp_path / "t").write_bytes(HIDDEN.encode() + b"\xff")
    unreadable(Secret(f"file:{tmp_path}/t"), "not UTF-8")


def test_a_huge_secret_file_is_refused(tmp_path):
    (tmp_path / "t").write_text(HIDDEN * 20000)
    unreadable(Secret(f"file:{tmp_path}/t"), "larger than")


def test_without_the_keyring_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    unreadable(Secret("keyring:iqm"), "pip install keyring", kind=MissingPluginError)


@pytest.fixture
def keyring(monkeypatch):
    class KeyringError(Exception):
        pass

    def get_password(service, user):
        if service == "locked":
            raise KeyringError("locked")
        return {("qdmi", "iqm"): HIDDEN, ("https://x/y", "me"): "other"}.get((service, user))

    fake, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
    fake.get_password, errors.KeyringError = get_password, KeyringError
    monkeypatch.setitem(sys.modules, "keyring", fake)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


@pytest.mark.usefixtures("keyring")
def test_a_keyring_is_asked_by_service_and_user():
    assert Secret("keyring:iqm").reveal() == HIDDEN
    assert Secret("keyring:https://x/y/me").reveal() == "other"
    unreadable(Secret("keyring:nobody"), "not set")
    unreadable(Secret("keyring:locked/me"), "KeyringError")


@pytest.mark.parametrize("text", [HIDDEN, "", "env:", "env:1x", f"ENV:{HIDDEN}", "file:", 5, None])
def test_what_is_no_reference_is_refused_without_showing_it(text):
    with pytest.raises(ConfigError, match="env:NAME") as caught:
        Secret(text)
    assert HIDDEN not in str(caught.value)
