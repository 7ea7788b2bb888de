# SPDX-License-Identifier: Apache-2.0

"""How these scripts talk to the TypeScript side: JSON lines on stdout, prose on stderr.

{"event": "progress", "what": str, "done": int, "total": int, "unit": str}
{"event": "note", "text": str}
{"event": "result", ...}                   once, last
{"event": "error", "message": str, "hint": str}   once, last, exit code 1
"""

import ctypes
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager

# Libraries print on stdout whenever they like; keep the real one for events and hand them stderr.
_events = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
os.dup2(2, 1)


PR_SET_PDEATHSIG = 1  # prctl(2)


def _end_with_parent() -> None:
    """The parent holds our stdin open for as long as it lives; an orphan must not continue writing."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if os.environ.get("QWEN3_ASR_ONNX_PARENT"):
    # The thread needs the GIL, which a call into C may keep for minutes; Linux ends us meanwhile.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


class UserError(Exception):
    """A failure the user can fix: one sentence with found against wanted, and what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def emit(event: str, **fields) -> None:
    """Write an event as a line of JSON to stdout, at once."""
    _events.write(json.dumps({"event": event, **fields}) + "\n")
    _events.flush()


def progress(what: str, done: int, total: int, unit: str) -> None:
    """Report that `done` of `total` units of `what` are done."""
    emit("progress", what=what, done=done, total=total, unit=unit)


def note(text: str) -> None:
    """Report a sentence that the user should read."""
    emit("note", text=text)


@contextmanager
def reporting():
    """Turn a UserError or a full disk inside the block into one error event and exit code 1."""
    try:
        yield
    except UserError as error:
        emit("error", message=str(error), hint=error.hint)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (28, 122):  # ENOSPC, EDQUOT
            raise
        emit("error", message=f"The disk is full: {error}", hint="Free space, then run the same command again.")
        sys.exit(1)
    except MemoryError:
        emit("error", message="Python ran out of memory.", hint="Close other programs or use a machine with more.")
        sys.exit(1)
