# SPDX-License-Identifier: Apache-2.0

"""lazy_init.py COMMAND ARG...: run a command below a process that adopts orphans and never collects those that end.

Some containers have such a first process. Ended orphans stay as zombies (prctl(2), PR_SET_CHILD_SUBREAPER)."""

import ctypes
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
    sys.exit("no subreaper")
subprocess.Popen(sys.argv[1:])
time.sleep(600)
