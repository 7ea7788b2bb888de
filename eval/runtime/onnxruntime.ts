// SPDX-License-Identifier: Apache-2.0

import './no-telemetry.ts' // before the library: it is the only module that imports it
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'

export { InferenceSession, listSupportedBackends, Tensor }
