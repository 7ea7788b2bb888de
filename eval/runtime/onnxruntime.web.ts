// SPDX-License-Identifier: Apache-2.0

import { env, InferenceSession, Tensor } from 'onnxruntime-web' // the build that the bundle is of
import type * as Runtime from './onnxruntime.ts'

env.wasm.wasmPaths = new URL('./', import.meta.url).href // beside the bundle

export { InferenceSession, Tensor }

/** `cpu` is WebAssembly here. */
export const listSupportedBackends: typeof Runtime.listSupportedBackends = () => [
  { name: 'cpu', bundled: true },
  ...('gpu' in navigator && 'webgpu' in env ? [{ name: 'webgpu', bundled: true }] : []),
]
