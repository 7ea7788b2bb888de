# SPDX-License-Identifier: Apache-2.0

"""Switch the telemetry of onnxruntime off. Import this before onnxruntime, which reads the variable while it loads."""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # a value that the user has set stays
