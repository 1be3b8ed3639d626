"""Opens files for writing, at paths given by the user. Another user cannot redirect the output.

Root may run a program that writes to a folder in which others may write, such as /tmp. There
another user can plant, under the expected name, a symbolic link or a hard link to a file of root's,
a pipe on which the program would wait, or a file that the other user can read. Linux refuses some
of these when fs.protected_symlinks and similar settings are on. This module refuses all of them:

- The last name of a path is never followed as a symbolic link (O_NOFOLLOW). A link in an earlier
  part of the path is followed only if it belongs to root or to us. The sticky bit of a folder does
  not stop others from making one.
- A new file is made with O_CREAT and O_EXCL together, so that it is ours. O_CREAT alone would open
  an existing file.
- An existing file must be a regular one. O_NONBLOCK lets us see that without waiting for the reader
  of a pipe. In a folder in which others may write, its owner must be this user or the folder's
  owner, and it must have one name only.
- A file that is emptied first, such as a capture, must belong to this user. A file of the folder's
  owner is replaced by a new one.
- All of this is checked on the open descriptor, before the file is emptied or written.

Two other systems can do less. macOS has no O_PATH, which opens a symbolic link itself: there a link
is read by its name, and must be the same before and after. Windows opens no file in an open folder
(`dir_fd`): there the path must name a regular file or none, and its folders are not examined.

See open(2), symlink(7) and proc_sys_fs(5).
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from functools import reduce
from operator import or_

NO_REGULAR_FILE = "it is not a regular file"
SYMBOLIC_LINK = "it is a symbolic link, which is not followed: name the file itself"
MOST_LINKS = 40  # symbolic links in one path, as in Linux
MOST_TRIES = 8  # attempts to open a file that others make and remove meanwhile
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def _flags(names: str) -> int:
    """The flags of `os.open` with these names; those that this system does not have are 0."""
    return reduce(or_, (getattr(os, name, 0) for name in names.split()))


# O_BINARY and O_NOINHERIT are those of Windows.
_CAREFULLY = _flags("O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_NOCTTY O_BINARY O_NOINHERIT")
_FOLDER = _flags("O_PATH O_NOFOLLOW O_CLOEXEC")
_WITHOUT_PATH = _flags("O_DIRECTORY O_NOFOLLOW O_CLOEXEC")  # for a folder that is no symbolic link


def open_empty(path: str) -> int:
    """A descriptor for writing to the regular file at `path`, which is made or emptied.

    Only its owner may read a new file. OSError if it is not a regular file or another user may have
    planted it (see above); the file is then left as it is.
    """
    if os.open not in os.supports_dir_fd:
        return _open_by_path(path)
    folder, name = open_folder(os.path.dirname(path)), os.path.basename(path)
    try:
        file = open_in(folder, name, os.O_WRONLY, make=True)
        if not _is_ours(file):
            # The folder's owner may have the file open and could read on: replace it by a file of
            # ours.
            os.close(file)
            os.unlink(name, dir_fd=folder)
            file = open_in(folder, name, os.O_WRONLY, make=True)
    finally:
        os.close(folder)
    try:
        if not _is_ours(file):
            raise OSError(errno.EACCES, "it belongs to another user and cannot be replaced: choose another path")
        os.ftruncate(file, 0)
    except BaseException:
        os.close(file)
        raise
    return file


def open_folder(path: str) -> int:
    """A descriptor of a folder, for the `dir_fd` of functions in `os`. OSError.

    "" is the current folder. EOPNOTSUPP on a system without `dir_fd`, such as Windows.
    """
    if os.open not in os.supports_dir_fd:
        raise OSError(errno.EOPNOTSUPP, "this system cannot open a file in an open folder")
    here = os.open("/" if path.startswith("/") else ".", _FOLDER)
    try:
        names = deque(path.split("/"))
        links = 0
        while names:
            name = names.popleft()
            if name in ("", "."):
                continue
            there, status, target = _step(here, name)
            if there >= 0:
                here, left = there, here
                os.close(left)
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if status.st_uid not in (0, os.geteuid()):
                raise OSError(errno.EACCES, f"{name!r} in its path is a symbolic link of another user")
            names.extendleft(reversed(target.split("/")))
            if target.startswith("/"):
                os.close(here)
                here = os.open("/", _FOLDER)
        if not stat.S_ISDIR(os.fstat(here).st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except BaseException:
        os.close(here)
        raise
    return here


def _step(here: int, name: str) -> tuple[int, os.stat_result, str]:
    """Look at `name` in the folder `here`: its descriptor, its status, and a link's target.

    The descriptor of a symbolic link is -1. OSError.
    """
    if not hasattr(os, "O_PATH"):
        return _step_by_name(here, name)
    there = os.open(name, _FOLDER, dir_fd=here)
    status = os.fstat(there)
    if not stat.S_ISLNK(status.st_mode):
        return there, status, ""
    try:
        return -1, status, os.readlink("", dir_fd=there)
    finally:
        os.close(there)


def _step_by_name(here: int, name: str) -> tuple[int, os.stat_result, str]:
    """As `_step`, on a system without O_PATH."""
    status = os.stat(name, dir_fd=here, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        there = os.open(name, _WITHOUT_PATH, dir_fd=here)
        return there, os.fstat(there), ""
    target = os.readlink(name, dir_fd=here)
    if not os.path.samestat(status, os.stat(name, dir_fd=here, follow_symlinks=False)):
        raise OSError(errno.EAGAIN, f"another program keeps changing {name!r} in its path")
    return -1, status, target


def _open_by_path(path: str) -> int:
    """As `open_empty`, on a system that opens no file in an open folder."""
    if os.path.lexists(path):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, SYMBOLIC_LINK)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, NO_REGULAR_FILE)
        return os.open(path, os.O_WRONLY | os.O_TRUNC | _CAREFULLY)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFULLY, 0o600)


def open_in(folder: int, name: str, flags: int, *, make: bool = False) -> int:
    """A descriptor of the regular file `name` in an open folder. OSError.

    If the file is missing and `make` is set, it is made.
    """
    for _ in range(MOST_TRIES):
        try:
            file = os.open(name, flags | _CAREFULLY, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
            try:
                return os.open(name, flags | _CAREFULLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
            except FileExistsError:
                continue  # it was made meanwhile, or is a dangling link: the next attempt shows which
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, SYMBOLIC_LINK) from None
            if error.errno in (errno.ENXIO, errno.EISDIR):  # a socket, or a pipe without a reader; a folder
                raise OSError(errno.EINVAL, NO_REGULAR_FILE) from None
            raise
        try:
            _check(os.fstat(file), os.fstat(folder))
        except BaseException:
            os.close(file)
            raise
        return file
    raise OSError(errno.EAGAIN, "another program keeps making and removing it")


def _is_ours(file: int) -> bool:
    return os.fstat(file).st_uid in (0, os.geteuid())


def _check(file: os.stat_result, folder: os.stat_result) -> None:
    if not stat.S_ISREG(file.st_mode):
        raise OSError(errno.EINVAL, NO_REGULAR_FILE)
    ours = (0, os.geteuid())
    if folder.st_uid in ours and not folder.st_mode & _OTHERS_WRITE:
        return  # no other user can have planted it
    if file.st_uid not in (*ours, folder.st_uid):
        raise OSError(errno.EACCES, "it belongs to another user, in a folder in which others may write")
    if file.st_nlink > 1:
        raise OSError(errno.EACCES, "it has a second name (a hard link), in a folder in which others may write")
