"""Another user plants a link, a pipe or a device where a file is to be written: it is not followed,
waited for or filled.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.link.capture import Capture
from stack.link.files import open_empty
from tests.link.frames import Wakes, Wire
from tests.requirements import rfc

ATTACKER = 54321
SECRET = b"of root's"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that everybody may write in, with the sticky bit: like /tmp."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that is not to be touched."""
    path = tmp_path / "victim"
    path.write_bytes(SECRET)
    return path


def given_away(path: Path) -> None:
    """It is another user's from now on."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make another user's file")
    os.chown(path, ATTACKER, ATTACKER, follow_symlinks=False)


def symbolic_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def foreign_file(path: Path, victim: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0o666)
    given_away(path)


PLANTED: dict[Callable[[Path, Path], None], int] = {
    symbolic_link: errno.ELOOP,
    hard_link: errno.EACCES,
    pipe: errno.EINVAL,
    foreign_file: errno.EACCES,
}


@rfc("planted-1")
@pytest.mark.parametrize("plant", PLANTED)
def test_a_capture_does_not_take_what_was_planted(
    shared: Path, victim: Path, plant: Callable[[Path, Path], None]
) -> None:
    path = shared / "all.pcapng"
    plant(path, victim)
    with pytest.raises(OSError, match="cannot write the capture") as caught:
        Capture(Wire(), path).open(Wakes())
    assert (caught.value.errno, caught.value.filename) == (PLANTED[plant], str(path))
    assert victim.read_bytes() == SECRET
    assert path.lstat().st_size in (0, len(SECRET), len(os.fsencode(victim)))


@rfc("planted-1")
def test_a_link_to_nothing_makes_nothing(shared: Path, tmp_path: Path) -> None:
    """O_CREAT without O_EXCL would make the file where the link says."""
    path = shared / "all.pcapng"
    path.symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="symbolic link") as caught:
        open_empty(str(path))
    assert caught.value.errno == errno.ELOOP
    assert not (tmp_path / "made").exists()


@rfc("planted-1")
def test_a_folder_on_the_way_may_not_be_anothers_link(shared: Path, tmp_path: Path, victim: Path) -> None:
    """The kernel's protection is for the last name of a path alone."""
    (shared / "captures").symlink_to(tmp_path)
    given_away(shared / "captures")
    for name in ("victim", "new"):
        with pytest.raises(OSError, match="symbolic link of another user") as caught:
            open_empty(str(shared / "captures" / name))
        assert caught.value.errno == errno.EACCES
    assert victim.read_bytes() == SECRET
    assert not (tmp_path / "new").exists()


def test_what_is_ours_is_taken(shared: Path, victim: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links of our own on the way, relative names, our own files in a shared folder; a new file is ours alone."""
    (shared.parent / "one").symlink_to("two/../two")
    (shared.parent / "two").symlink_to(shared)
    monkeypatch.chdir(shared.parent)
    for path in (str(shared / "a"), "one/a", "./one//a", "two/a"):
        os.close(open_empty(path))
    assert (shared / "a").stat().st_mode & 0o777 == 0o600
    (shared / "a").write_bytes(b"old")
    os.close(open_empty("one/a"))
    assert (shared / "a").read_bytes() == b""
    monkeypatch.chdir(shared)
    os.close(open_empty("b"))
    assert sorted(path.name for path in shared.iterdir()) == ["a", "b"]


@rfc("planted-1")
def test_in_a_users_own_folder_a_new_file_takes_the_place_of_the_users(shared: Path, victim: Path) -> None:
    """Root was told to write there; the user reads nothing of it, and plants nothing from elsewhere."""
    shared.chmod(0o755)
    given_away(shared)
    (shared / "own").write_bytes(b"old")
    given_away(shared / "own")
    with (shared / "own").open("rb") as held, open(open_empty(str(shared / "own")), "wb") as file:
        file.write(SECRET)
        file.flush()
        assert held.read() == b"old"
    assert (shared / "own").read_bytes() == SECRET
    assert ((shared / "own").stat().st_uid, (shared / "own").stat().st_mode & 0o777) == (0, 0o600)
    hard_link(shared / "linked", victim)
    with pytest.raises(OSError, match="hard link"):
        open_empty(str(shared / "linked"))
    assert victim.read_bytes() == SECRET


@pytest.mark.parametrize(
    ("path", "number"),
    [("no/such/file", errno.ENOENT), ("victim/file", errno.ENOTDIR), (".", errno.EINVAL), ("loop/x", errno.ELOOP)],
)
def test_what_cannot_be_is_an_error_and_leaves_no_descriptor(
    tmp_path: Path, victim: Path, path: str, number: int
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError) as caught:
        open_empty(str(tmp_path / path) if path != "." else f"{tmp_path}/.")
    assert caught.value.errno == number
    assert os.listdir("/proc/self/fd") == before


@rfc("planted-2")
@pytest.mark.parametrize("plant", PLANTED)
def test_the_figures_of_the_benchmark_go_to_no_planted_file(
    shared: Path, victim: Path, plant: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`scripts/bench --json`, with nothing to measure."""
    from scripts.measuring import __main__ as bench

    path = shared / "figures.json"
    words = ["bench", "--offloads", "", "--repeat", "0", "--json", str(path)]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(bench, "measure", lambda *_: {})
    bench.main()
    assert path.read_text().startswith("{")
    path.unlink()
    plant(path, victim)
    with pytest.raises(SystemExit, match=r"--json: cannot write .*figures\.json: it "):
        bench.main()
    assert victim.read_bytes() == SECRET
