"""Where a run keeps its logs: OUT/RUN/, with OUT/latest pointing at the newest."""
import contextlib
import getpass
import os
import pathlib
import stat
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class NoFolder(Exception):
    """Why there is none, in one line."""


def shown(path):
    """A path as short as it can be said from the checkout."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def user():
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def elsewhere():
    """This user's folder for runs of a checkout that cannot be written to."""
    return pathlib.Path(tempfile.gettempdir()) / f"bank-{os.getuid()}"


def make(out):
    """The folder of a new run in `out`; None: in the checkout, or else elsewhere."""
    if out is not None:
        return _make_in(out, mode=0o777)
    try:
        return _make_in(ROOT / "out", mode=0o777)
    except NoFolder:
        run = _make_in(elsewhere(), mode=0o700)
        print(f"{user()} may not write to {ROOT}: logs and answers go to {run.parent} (elsewhere: --out DIR)", flush=True)
        return run


def _make_in(out, mode):
    try:
        out.mkdir(mode=mode, parents=True, exist_ok=True)
        if mode == 0o700:
            _check_own(out)
        run = pathlib.Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=out))
    except OSError as error:
        raise NoFolder(f"cannot make a folder for this run in {out}: {error.strerror} (choose another: --out DIR)") from error
    # What points at the newest run is a convenience: a run whose user may not move it goes on.
    with contextlib.suppress(OSError):
        link = out / f"latest-{run.name}"
        link.symlink_to(run.name)
        link.replace(out / "latest")
    return run


def _check_own(out):
    """A folder of a known name among everybody's temporary files may be somebody else's trap."""
    status = os.lstat(out)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise NoFolder(f"{out} is not a folder of {user()} alone (choose another: --out DIR)")


def all_of(out):
    """The runs' folders in `out`, or where make(None) may have put them."""
    for folder in [out] if out is not None else [ROOT / "out", elsewhere()]:
        with contextlib.suppress(OSError):
            yield from (entry for entry in folder.iterdir() if entry.is_dir() and not entry.is_symlink())
