"""-Dplugin=disabled is set up, and builds the library of names, where pkg-config knows neither GStreamer nor GLib.

pkg-config sees one folder, into which the other packages' files are linked. With -Dplugin=enabled the same place has to be
refused: it is as blind as it shall be.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

# All that a build without the plugin takes from the system, Check included, and what they require in their turn.
PACKAGES = ("check", "libcrypto", "libcurl", "libhwy", "libssl", "nlohmann_json", "openssl", "subunit", "libsubunit", "zlib")


def pkg_config_folders():
    command = ["pkg-config", "--variable", "pc_path", "pkg-config"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().split(":")


def blind(folder):
    """An environment whose pkg-config knows PACKAGES alone."""
    folder.mkdir()
    for place in map(pathlib.Path, pkg_config_folders()):
        for package in PACKAGES:
            if (place / f"{package}.pc").exists() and not (folder / f"{package}.pc").exists():
                (folder / f"{package}.pc").symlink_to(place / f"{package}.pc")
    return {**os.environ, "PKG_CONFIG_LIBDIR": str(folder), "PKG_CONFIG_PATH": ""}


def setup(build, environment, *options):
    command = [os.environ["TV_MESON"], "setup", str(build), os.environ["TV_SOURCE"],
               f"-Dtorch_dir={os.environ['TV_TORCH_DIR']}", f"-Dtest_python={sys.executable}", "-Dcuda=disabled", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = blind(folder / "pkgconfig")
        refused = setup(folder / "with", environment, "-Dplugin=enabled")
        assert refused.returncode != 0 and "gstreamer-1.0" in refused.stdout, refused.stdout
        made = setup(folder / "without", environment, "-Dplugin=disabled", "-Dbenchmarks=true", "-Danalytics=enabled")
        assert made.returncode == 0, made.stdout + made.stderr
        targets = subprocess.run([os.environ["TV_MESON"], "introspect", "--targets", str(folder / "without")], check=True,
                                 capture_output=True, text=True).stdout
        for there in ("tvregistry", "tvinference-cpu", "model-benchmark", "test_pipeline"):
            assert f'"name": "{there}"' in targets, there
        for absent in ("gsttorchvision", "tvmodels", "tv-element-common", "engine-benchmark"):
            assert f'"name": "{absent}"' not in targets, absent
        # Cheap, and everything else links it.
        built = subprocess.run(["ninja", "-C", str(folder / "without"), "elements/preprocess/libtv-preprocess.a"],
                               env=environment, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stdout
        commands = (folder / "without" / "compile_commands.json").read_text()
        for word in ("gstreamer-1.0", "glib-2.0"):
            assert word not in commands, f"a file is compiled with {word}"


if __name__ == "__main__":
    main()
