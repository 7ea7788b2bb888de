// SPDX-License-Identifier: Apache-2.0

import { register } from 'node:module'

/* node --import: onnxruntime-node is the package that QWEN3_ASR_ONNX_RUNTIME names. See masked-runtime.ts. */

const url = JSON.stringify(process.env['QWEN3_ASR_ONNX_RUNTIME'])
const hook = `export async function resolve(name, context, next) {
  return name === 'onnxruntime-node' ? { url: ${url}, format: 'commonjs', shortCircuit: true } : next(name, context)
}`
register(`data:text/javascript,${encodeURIComponent(hook)}`)
