import { formatBytes } from './files.ts'
import { EMBEDDINGS } from './layout.ts'

export interface CardVariant {
  readonly label: string
  readonly archive: string
  readonly archiveBytes: number
  readonly bytes: number
  readonly wer: number
  readonly errors: {
    readonly words: number
    readonly substitutions: number
    readonly deletions: number
    readonly insertions: number
  }
}

export interface Card {
  readonly name: string
  readonly base: string
  readonly quantization: string
  /** the int4 variant has a graph for prompts with 8-bit products */
  readonly prefillInt8: boolean
  readonly speech: string
  readonly normalizer: string
  readonly utterances: number
  readonly variants: readonly CardVariant[]
  readonly parity: readonly {
    readonly check: string
    readonly clips: number
    readonly tolerance: number
  }[]
  readonly command: string
}

const PREFILL_NOTE = `The int4 variant was measured as the project's runtime runs it: prompts by \`decoder_prefill.int4.onnx\`, with products of int8 weights,
made of the int4 ones as \`decoder_prefill.int4.json\` says, by uint8 activations. \`decoder.int4.onnx\` runs prompts too.
`

/** README.md of a release. It holds what every run measures alike, so that it is the same wherever it is made. */
export function modelCard(card: Card): string {
  const rows = card.variants.map(
    ({ label, archive, archiveBytes, bytes, wer, errors }) =>
      `| ${label} | \`${archive}\` | ${formatBytes(archiveBytes)} | ${formatBytes(bytes)} | ${(100 * wer).toFixed(2)} % | ` +
      `${errors.substitutions} + ${errors.deletions} + ${errors.insertions} of ${errors.words} |`,
  )
  const parity = card.parity.map(
    ({ check, clips, tolerance }) =>
      `| ${check} | ${clips} | ${tolerance === 0 ? 'identical' : `at most ${tolerance}`} |`,
  )
  return `---
license: apache-2.0
pipeline_tag: automatic-speech-recognition
library_name: onnxruntime
base_model: ${card.base}
tags: [onnx, onnxruntime, qwen3_asr, int4]
---
# ${card.name}

${card.base} as ONNX graphs for onnxruntime: an audio encoder and a decoder over shared weights, in two layouts: one fused graph
for prompts and steps, or two graphs (prompt, one step).

| variant | archive | download | on disk | WER | sub + del + ins |
|---|---|---|---|---|---|
${rows.join('\n')}

WER: ${card.utterances} utterances of ${card.speech}, normalizer \`${card.normalizer}\`, greedy, onnxruntime on CPU.
Speed depends on the machine; the pipeline measures it on yours and writes it to \`results.csv\`.

## Parity with PyTorch
FP32 graphs in onnxruntime against the checkpoint in PyTorch, largest absolute difference:

| compared | clips | difference |
|---|---|---|
${parity.join('\n')}

## Use
1. 16 kHz mono samples to log-mel features (\`preprocessor_config.json\`), clips below 8000 samples zero-padded.
2. \`encoder\`: \`mel\` [1, 128, T] gives \`audio_features\` [1, N, H].
3. The prompt: the ids of \`<|im_start|>system\\n<|im_end|>\\n<|im_start|>user\\n<|audio_start|>\`, N times \`<|audio_pad|>\`,
   \`<|audio_end|><|im_end|>\\n<|im_start|>assistant\\n\`, all from \`tokenizer.json\`.
4. The fused layout, which is quicker: \`decoder\` with the prompt's rows of \`${EMBEDDINGS}\` (FP16, row-major), audio features in the pads'
   places, then with the row of each new token, over a KV buffer of yours: \`decoder.fused\` in \`config.json\` says how.
   The split layout: \`decoder_init\` with the ids and \`audio_offset\`, the index of the first pad, then \`decoder_step\` with rows of \`${EMBEDDINGS}\`.
5. Until one of \`eos_token_ids\` in \`config.json\`. The text follows \`<asr_text>\`.

## Quantization
${card.quantization}. The encoder and the embeddings (FP16) are not quantized; \`encoder.int4.onnx\` is the FP32 encoder under
the int4 variant's name.
${card.prefillInt8 ? PREFILL_NOTE : ''}
## Reproduce
\`${card.command}\`
`
}
