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

See open(2), symlink(7) and proc_sys_fs(5).
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque

NO_REGULAR_FILE = "it is not a regular file"
SYMBOLIC_LINK = "it is a symbolic link, which is not followed: name the file itself"
MOST_LINKS = 40  # symbolic links in one path, as in Linux
MOST_TRIES = 8  # attempts to open a file that others make and remove meanwhile
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_empty(path: str) -> int:
    """A descriptor for writing to the regular file at `path`, which is made or emptied.

    Only its owner may read a new file. OSError if it is not a regular file or another user may have
    planted it (see above); the file is then left as it is.
    """
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

    "" is the current folder.
    """
    here = os.open("/" if path.startswith("/") else ".", _FOLDER)
    try:
        names = deque(path.split("/"))
        links = 0
        while names:
            name = names.popleft()
            if name in ("", "."):
                continue
            there = os.open(name, _FOLDER, dir_fd=here)
            status = os.fstat(there)
            if not stat.S_ISLNK(status.st_mode):
                here, left = there, here
                os.close(left)
                continue
            try:
                target = os.readlink("", dir_fd=there)
            finally:
                os.close(there)
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
