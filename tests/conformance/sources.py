"""Fetches the sources of other people's test suites into build/conformance/sources, never into the tree.

Debian sources come through apt-get with a source list of our own, so the machine's configuration stays as it is; apt
checks each tarball against the signed index. Only the upstream tarball is asked for: Debian's patches are not needed.
"""

import dataclasses
import pathlib
import shutil
import subprocess

MIRROR = "http://deb.debian.org/debian"
RELEASES = ("bookworm", "trixie", "sid")


@dataclasses.dataclass(frozen=True)
class Debian:
    package: str
    release: str  # the first one whose tarball has the version that we know

    def fetch(self, root, folder):
        options = apt_options(root)
        got = subprocess.run(["apt-get", *options, "source", "--tar-only", "--download-only", "-qq",
                              f"{self.package}/{self.release}"], cwd=folder, capture_output=True, text=True)
        # Of a source of several tarballs only the first is needed, so apt need not have got the others.
        tarballs = [p for p in folder.iterdir() if ".orig.tar." in p.name]
        if not tarballs:
            raise RuntimeError(f"no source of {self.package}: {got.stderr.strip()}")
        (tarball,) = tarballs
        subprocess.run(["tar", "-xf", tarball, "--strip-components=1", "-C", folder], check=True)
        tarball.unlink()


@dataclasses.dataclass(frozen=True)
class Npm:
    package: str  # with its version

    def fetch(self, root, folder):
        packed = subprocess.run(["npm", "pack", "--silent", self.package], cwd=folder, check=True, text=True,
                                capture_output=True).stdout.split()[-1]
        subprocess.run(["tar", "-xf", packed, "--strip-components=1"], cwd=folder, check=True)
        (folder / packed).unlink()


def apt_options(root):
    """Source lists and indices of our own; the indices are read once."""
    apt = root / "apt"
    lists = apt / "lists"
    options = ["-o", f"Dir::Etc::SourceList={apt / 'sources.list'}", "-o", "Dir::Etc::SourceParts=/dev/null",
               "-o", f"Dir::State::Lists={lists}", "-o", "APT::Sandbox::User="]
    if not (apt / "ready").exists():
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        (apt / "sources.list").write_text("".join(f"deb-src {MIRROR} {release} main\n" for release in RELEASES))
        subprocess.run(["apt-get", *options, "update", "-qq"], check=True)
        (apt / "ready").touch()
    return options


def fetched(root, suite, support):
    """The folder of the suite's sources, prepared; fetched if it isn't there yet."""
    folder = pathlib.Path(root) / "sources" / suite.name
    done = folder.with_suffix(".done")
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    suite.source.fetch(pathlib.Path(root), folder)
    for path, old, new in suite.edits:
        edit(folder, path, old, new)
    for command in suite.prepare:
        subprocess.run([part.format(support=support) for part in command], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
    done.touch()
    return folder


def edit(folder, pattern, old, new):
    """Replaces a text in the files of a pattern. It must stand in one at least: another version needs other edits."""
    found = False
    for path in sorted(folder.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        if old in text:
            path.write_text(text.replace(old, new), encoding="utf-8")
            found = True
    if not found:
        raise RuntimeError(f"nothing to edit in {folder}/{pattern}: {old!r}")
