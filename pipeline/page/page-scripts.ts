// SPDX-License-Identifier: Apache-2.0

/** Scripts of the page besides the runtime's workers, by the names of their bundles. */
export const SCRIPTS = {
  page: 'eval/page/start-page.ts',
  fetch: 'eval/page/fetch-worker.ts',
  recorder: 'eval/page/recorder-worklet.ts',
  'service-worker': 'eval/page/service-worker.ts',
} as const
/** Of all packages whose code is in the scripts. */
export const LICENSES = 'licenses.txt'

/** onnxruntime for browsers: on the processor alone, or with WebGPU too, which is twice the size. */
export const EDITIONS = ['wasm', 'webgpu'] as const
/** One of {@link EDITIONS}. */
export type Edition = (typeof EDITIONS)[number]

/** Files of onnxruntime-web that each edition loads, beside the bundle. */
export const RUNTIME_FILES: Readonly<Record<Edition, readonly string[]>> = {
  wasm: ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
  webgpu: ['ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'],
}
