/**
 * The `basic` normalizer of earlier Qwen3-ASR ONNX tables: lower case, letters, digits and apostrophes, words
 * separated by anything else.
 */
export function basicWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[’‘]/g, "'")
    .replace(/[^\p{L}\p{M}\p{N}']+/gu, ' ')
    .trim()
    .split(' ')
    .filter((word) => word !== '')
}
