// SPDX-License-Identifier: Apache-2.0

/**
 * The `basic` normalizer of earlier Qwen3-ASR ONNX tables: without a `language X<asr_text>` prefix, lower case,
 * letters, digits and apostrophes, words separated by anything else.
 */
export function basicNormalize(text: string): string {
  return text
    .replace(/^\s*language\s+\S+\s*<asr_text>/i, '')
    .toLowerCase()
    .replace(/[’‘]/g, "'")
    .replace(/[^\p{L}\p{M}\p{N}']+/gu, ' ')
    .trim()
}
