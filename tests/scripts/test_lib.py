"""scripts/lib.sh where its tools fail: what is said, and that nothing is left behind. Needs TV_SCRIPTS (folder)."""
import os
import pathlib
import subprocess

import pytest

LIBRARY = pathlib.Path(os.environ["TV_SCRIPTS"]) / "lib.sh"


@pytest.fixture
def shell(tmp_path):
    """Runs a line after `. lib.sh`, with programs of ours first on the PATH and a folder of its own for temporary files."""
    programs, temporary = tmp_path / "bin", tmp_path / "tmp"
    programs.mkdir()
    temporary.mkdir()

    def call(line, TV_OS_RELEASE="/etc/os-release", **scripts):
        for name, text in scripts.items():
            (programs / name.replace("_", "-")).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name.replace("_", "-")).chmod(0o755)
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(temporary),
                       "TV_BUILD_DIR": str(tmp_path / "build"), "TV_OS_RELEASE": str(TV_OS_RELEASE)}
        result = subprocess.run(["bash", "-c", f'. "{LIBRARY}"\n{line}'], env=environment, capture_output=True, text=True,
                                timeout=60)
        assert list(temporary.iterdir()) == []
        return result

    return call


@pytest.mark.parametrize("name, said", [
    ("none.mp4", "cannot read"), (".", "cannot read"), ("there.mp4", "this script sets up Debian"), ("", "this script sets up Debian"),
])
def test_the_demo_looks_for_the_video_first(tmp_path, name, said):
    """It goes on to what is no Debian, so that nothing is installed here."""
    (tmp_path / "there.mp4").write_text("video")
    release = tmp_path / "os-release"
    release.write_text("ID=other\n")
    result = subprocess.run(["bash", LIBRARY.parent / "demo", *([tmp_path / name] if name else [])], capture_output=True,
                            text=True, timeout=60, env={**os.environ, "TV_OS_RELEASE": str(release)})
    assert result.returncode == 1 and result.stdout == "" and result.stderr.startswith(f"error: {said}"), result
    assert said != "cannot read" or str(tmp_path) in result.stderr.splitlines()[0]


NUMBERS = "for i in $(seq 40); do echo line $i; done"


def test_quietly(shell):
    assert shell("quietly sh -c 'echo text; echo fault >&2'").stdout == ""
    failed = shell("quietly sh -c 'for i in $(seq 40); do echo line $i; done; exit 3' || echo went on")
    assert failed.stdout == "went on\n"
    assert failed.stderr.splitlines() == [f"line {i}" for i in range(21, 41)]


@pytest.mark.parametrize("step", ["update", "install"])
def test_a_failing_package_manager(shell, step):
    # No package is installed, and sudo is root already.
    result = shell("install_packages demo", dpkg_query="exit 1", sudo='exec "$@"',
                   apt_get=f'echo "apt $1 says"; case "$*" in *{step}*) exit 100; esac')
    assert result.returncode == 1
    assert f"error: apt-get {step} failed" in result.stderr and f"apt {step} says" in result.stderr
    assert "check the network" in result.stderr
    if step == "install":
        assert "gstreamer1.0-x" in result.stderr and "apt update says" not in result.stderr


AS_USER = {"id": "echo 1000", "dpkg_query": "exit 1"}


def test_a_refusing_sudo(shell):
    result = shell("install_packages demo", **AS_USER, sudo="echo a password is required >&2; exit 1", apt_get="exit 100")
    assert result.returncode == 1 and "error: sudo refuses" in result.stderr and "a password is required" in result.stderr
    assert "as root, run: apt-get install gstreamer1.0-x" in result.stderr and "network" not in result.stderr


def test_no_sudo(shell):
    result = shell('command() { [ "$2" != sudo ] && builtin command "$@"; }\ninstall_packages demo', **AS_USER)
    assert result.returncode == 1 and "error: not root, and there is no sudo" in result.stderr
    assert "as root, run: apt-get install gstreamer1.0-x" in result.stderr


def test_another_machine(shell):
    result = shell("check_distribution", uname="echo riscv64")
    assert result.returncode == 1
    assert "riscv64" in result.stderr and "x86_64" in result.stderr
    assert shell("check_distribution", uname="echo x86_64").returncode == 0


def test_another_distribution(shell, tmp_path):
    for text, words in (("ID=fedora\nVERSION_ID=41\nPRETTY_NAME=Fedora", "this is Fedora"),
                        ("ID=debian\nVERSION_ID=11\nPRETTY_NAME=Bullseye", "this is Bullseye")):
        (tmp_path / "os-release").write_text(text)
        result = shell("check_distribution", TV_OS_RELEASE=tmp_path / "os-release")
        assert result.returncode == 1 and words in result.stderr and "by hand" in result.stderr


def test_a_failing_pip(shell, tmp_path):
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    for name, text in (("python", ""), ("pip", "echo no route to host >&2; exit 1")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    result = shell(f'venv="{tmp_path}/venv"; install_wheels demo')
    assert result.returncode == 1 and "no route to host" in result.stderr
    assert "error: pip could not install: numpy==" in result.stderr and "check the network" in result.stderr


def test_nothing_to_install(shell):
    result = shell("install_packages demo", dpkg_query="printf 'install ok installed'", apt_get="exit 100")
    assert (result.returncode, result.stderr) == (0, "") and "all there" in result.stdout


def test_a_failing_configuration(shell):
    result = shell("torch_dir() { echo /nowhere; }; build_project -Dtests=false", meson=f"{NUMBERS}; exit 1", ninja="exit 9")
    assert result.returncode == 1
    assert "error: meson setup failed" in result.stderr and "line 40" in result.stderr and "line 20\n" not in result.stderr


def test_a_good_configuration(shell):
    result = shell("torch_dir() { echo /nowhere; }; build_project -Dtests=false",
                   meson='echo "$*" >>"$TV_BUILD_DIR.called"', ninja="exit 0")
    assert (result.returncode, result.stderr) == (0, "")
    assert "-Dtorch_dir=/nowhere" in shell('cat "$TV_BUILD_DIR.called"').stdout
