# SPDX-License-Identifier: Apache-2.0

"""Stay in a call into C that keeps the GIL, as long ones of torch and onnxruntime do."""

import ctypes
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "python"))

from protocol import emit

emit("progress", what="holding", done=0, total=1, unit="calls")
ctypes.PyDLL(None).sleep(600)
