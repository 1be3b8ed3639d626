"""Opens files for writing, at a path that the user gives, such that another user cannot choose what is written to.

Root may have a program write to a folder that others may write in, such as /tmp. There another user can leave, under
the expected name, a symbolic link or a hard link to a file of root's, a pipe on which the program would wait, or a file
that the other user can read. Linux refuses some of these when fs.protected_symlinks and its like are set; this module
refuses all of them:

- The last name of a path is never followed as a symbolic link (O_NOFOLLOW). A link on the way to it is followed only if
  it belongs to root or to us: the sticky bit of a folder does not keep others from making one.
- A new file is made with O_CREAT and O_EXCL together, so that it is ours. O_CREAT alone would open an existing file.
- An existing file must be a regular one; O_NONBLOCK lets us see that without waiting for the reader of a pipe. In a
  folder that others may write in, its owner must be this user or the folder's owner, and it must have no second name.
- A file that is filled anew, such as a capture, must be this user's: a new one replaces a file of the folder's owner.
- All of this is checked on the open descriptor, before anything is emptied or written.

See open(2), symlink(7) and proc_sys_fs(5).
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque

NO_REGULAR_FILE = "it is no regular file"
SYMBOLIC_LINK = "it is a symbolic link, which is not followed: name the file itself"
MOST_LINKS = 40  # on the way to one file, as in Linux
MOST_TRIES = 8  # while others make and remove the file
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOLDER = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_empty(path: str) -> int:
    """A descriptor for writing to the regular file at `path`, made or emptied; only its owner may read a new one.

    OSError when it is not a regular file or another user may have planted it (see above); it is left as it is then.
    """
    folder, name = open_folder(os.path.dirname(path)), os.path.basename(path)
    try:
        file = open_in(folder, name, os.O_WRONLY, make=True)
        if not _is_ours(file):
            # The folder's owner may have it open, and would read on: the name gets a file that is ours.
            os.close(file)
            os.unlink(name, dir_fd=folder)
            file = open_in(folder, name, os.O_WRONLY, make=True)
    finally:
        os.close(folder)
    try:
        if not _is_ours(file):
            raise OSError(errno.EACCES, "it belongs to another user, who makes it anew each time")
        os.ftruncate(file, 0)
    except BaseException:
        os.close(file)
        raise
    return file


def open_folder(path: str) -> int:
    """A descriptor of a folder, good for what the functions of `os` call `dir_fd`. "" is the current one. OSError."""
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
                raise OSError(errno.EACCES, f"{name!r} on the way to it is another user's symbolic link")
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
    """A descriptor of the regular file `name` in an open folder, made if it is missing and `make` says so. OSError."""
    for _ in range(MOST_TRIES):
        try:
            file = os.open(name, flags | _CAREFULLY, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
            try:
                return os.open(name, flags | _CAREFULLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
            except FileExistsError:
                continue  # or it is a dangling link, which the next look finds
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise OSError(errno.ELOOP, SYMBOLIC_LINK) from None
            if error.errno in (errno.ENXIO, errno.EISDIR):  # a pipe that is not read or a socket; a folder
                raise OSError(errno.EINVAL, NO_REGULAR_FILE) from None
            raise
        try:
            _check(os.fstat(file), os.fstat(folder))
        except BaseException:
            os.close(file)
            raise
        return file
    raise OSError(errno.EAGAIN, "it is made and removed again and again")


def _is_ours(file: int) -> bool:
    return os.fstat(file).st_uid in (0, os.geteuid())


def _check(file: os.stat_result, folder: os.stat_result) -> None:
    if not stat.S_ISREG(file.st_mode):
        raise OSError(errno.EINVAL, NO_REGULAR_FILE)
    ours = (0, os.geteuid())
    if folder.st_uid in ours and not folder.st_mode & _OTHERS_WRITE:
        return  # no other user can have put it there
    if file.st_uid not in (*ours, folder.st_uid):
        raise OSError(errno.EACCES, "it belongs to another user, in a folder that others may write in")
    if file.st_nlink > 1:
        raise OSError(errno.EACCES, "it has a second name, in a folder that others may write in: a hard link")
