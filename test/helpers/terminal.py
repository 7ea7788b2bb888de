# SPDX-License-Identifier: Apache-2.0

"""Run a command on a pseudo-terminal: terminal.py COLUMNS ROWS COMMAND [ARG ...]

Output goes to stdout byte for byte, stdin to the terminal's keyboard; ends with the command's exit code.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios

columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(command[0], command)

keyboard = [0]
while True:
    ready, _, _ = select.select([terminal, *keyboard], [], [])
    if 0 in ready:
        keys = os.read(0, 4096)
        if keys:
            os.write(terminal, keys)
        else:
            keyboard = []
    if terminal in ready:
        try:
            output = os.read(terminal, 65536)
        except OSError:  # EIO: the other side is closed (pty(7))
            break
        if not output:
            break
        os.write(1, output)

sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
