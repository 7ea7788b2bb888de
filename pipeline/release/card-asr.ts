// SPDX-License-Identifier: Apache-2.0

import { percent } from '../../eval/report/number-text.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import {
  decoderData,
  EMBEDDINGS,
  ENCODER,
  FP32,
  graphFile,
  LAYOUTS,
  PREFILL,
  prefillRecipe,
  quantizedTable,
} from '../../eval/runtime/graphs.ts'
import { MAX_PIECE_SECONDS } from '../../eval/runtime/limits.ts'
import { buildPrompt } from '../../eval/runtime/prompt.ts'
import type { Tokenizer } from '../../eval/runtime/tokenizer.ts'
import { layoutsOf } from '../recipes.ts'
import type { Card, CardKind } from './card-kind.ts'
import { fidelitySection } from './card-proof.ts'
import { transcribingProgram } from './card-python.ts'
import { speedTable } from './card-speed.ts'
import { TASK } from './card-task.ts'
import { chosenText, measuredOn, sourceText, syntheticNote } from './card-text.ts'
import { timesTable } from './card-times.ts'
import { exampleVariant, pythonText, runtimeText } from './card-use.ts'
import { intervalText } from './main-figure.ts'
import { markdownTable } from './markdown-table.ts'
import type { Provenance } from './provenance.ts'
import { topFolder } from './release-files.ts'

/** What a card says of a speech recognition model. */
export const ASR_CARD: CardKind = {
  tags: ['speech-recognition'],
  metadata: ({ name, evidence: { reports } }) => {
    const results = reports.flatMap(indexResults)
    return { metrics: ['wer'], ...(results.length > 0 && { 'model-index': [{ name, results }] }) }
  },
  introduction,
  limits,
  figures: accuracy,
  fidelity: fidelitySection,
  compared: ', and its word error rate against that of FP32',
  usage,
  steps,
  prefillNote: (variant) => `
The project's runtime, with which ${variant} is measured, runs prompts by \`${graphFile(PREFILL, variant)}\`, with products of int8 weights,
made of the steps' weights as \`${prefillRecipe(variant)}\` says, by uint8 activations. \`${graphFile(LAYOUTS.fused[0], variant)}\` runs prompts too.`,
}

/** One result for each dataset and variant, the WER in percent as the hub's leaderboards have it. */
function indexResults(report: Report): object[] {
  return mainRows(report)
    .filter(({ utterances }) => utterances > 0)
    .map(({ dataset, system, wer, normalizer }) => {
      const described = report.run.datasets.find(({ name }) => name === dataset)
      const { repo, config, split, revision } = (described?.source ?? {}) as Record<string, unknown>
      return {
        task: { type: TASK, name: 'Automatic Speech Recognition' },
        dataset: {
          name: dataset,
          type: typeof repo === 'string' ? repo : dataset,
          ...(typeof config === 'string' && { config }),
          ...(typeof split === 'string' && { split }),
          ...(typeof revision === 'string' && { revision }),
        },
        metrics: [
          { type: 'wer', value: rounded(100 * wer), name: `WER % (${system}, normalizer ${normalizer})` },
        ],
      }
    })
}

function introduction({ evidence: { provenance } }: Card): string {
  return `Speech recognition with ONNX graphs for onnxruntime, without PyTorch, on the processor or another device. A recording goes in, text with
its language comes out. Made of ${sourceText(provenance)}.`
}

function limits({ evidence }: Card): string[] {
  return [
    `Length: the graphs take one piece of speech at once. The project's runtime cuts recordings of any length, in pauses, into pieces of at most
  ${MAX_PIECE_SECONDS} s; the Python program above does not cut.`,
    measuredOn(evidence),
  ]
}

/** How many graphs a decoder has. */
function layoutText({ variants, evidence: { provenance } }: Card): string {
  const start = `An audio encoder, and a decoder over shared weights. The decoder`
  const fusedOnly = variants.filter((name) => !hasSplit(provenance, name))
  if (fusedOnly.length === variants.length) return `${start} is one fused graph for prompts and steps.`
  const except = fusedOnly.length === 0 ? '' : `\n${fusedOnly.join(', ')}: the fused graph only.`
  return `${start} comes in two layouts: one fused graph for
prompts and steps, or two graphs (prompt, one step) as earlier releases have.${except}`
}

function hasSplit({ recipes }: Provenance, variant: string): boolean {
  return layoutsOf(recipes[variant]).includes('split')
}

/** Counts and conditions beside the rates. */
function accuracy(report: Report, { evidence }: Card): string[] {
  return report.run.datasets.flatMap((dataset) => {
    const { name, normalizer } = dataset
    const rows = mainRows(report).filter((row) => row.dataset === name && row.utterances > 0)
    const synthetic = syntheticNote(
      dataset,
      evidence,
      'it shows that the graphs are sound, not how well they transcribe people.',
    )
    const times = timesTable(report, name).map((table) => `### Times of words on ${name}\n\n${table}`)
    return [
      `## Accuracy on ${name}

${synthetic}${chosenText(dataset, report)}, normalizer \`${normalizer}\`, greedy; intervals are 95 % by bootstrap.

${markdownTable(
  ['variant', 'WER', '95 % interval', 'words', 'sub', 'del', 'ins', 'CER'],
  rows.map(({ system, wer, werInterval, errors, cer }) => [
    ...[system, percent(wer), intervalText(werInterval, percent)],
    ...[errors.words, errors.substitutions, errors.deletions, errors.insertions].map(String),
    percent(cer),
  ]),
)}`,
      `### Speed on ${name}

${speedTable(rows)}`,
      ...times,
    ]
  })
}

function usage(card: Card): string[] {
  const { name, tokenizer, variants, evidence } = card
  const folder = topFolder(name, exampleVariant(variants))
  const plain = exampleVariant(
    variants.filter((one) => evidence.provenance.recipes[one]?.embeddings === undefined),
  )
  return [
    `${runtimeText(card, 'recordings of most formats and any length become text, subtitles or JSON:')}

\`\`\`sh
npx qwen3-asr-onnx transcribe speech.mp3 --model-dir ${folder}
\`\`\`

\`\`\`ts
import { Qwen3Asr } from 'qwen3-asr-onnx'

const asr = await Qwen3Asr.load('${folder}')
console.log((await asr.transcribe('speech.mp3')).text)
await asr.dispose()
\`\`\``,
    ...(variants.includes(plain)
      ? [
          pythonText(card, plain, {
            ...{ file: 'transcribe.py', args: 'speech.wav', prints: 'what is said' },
            text: transcribingProgram(plain, promptOf(tokenizer)),
          }),
        ]
      : []),
  ]
}

/** The ids before and behind the audio, and the one that stands for it. */
function promptOf(tokenizer: Tokenizer) {
  const { ids, audioOffset } = buildPrompt(tokenizer, 1)
  return { before: ids.slice(0, audioOffset), pad: ids[audioOffset], after: ids.slice(audioOffset + 1) }
}

function steps(card: Card): string {
  const {
    tokenizer,
    variants,
    evidence: { provenance },
  } = card
  const { before, pad, after } = promptOf(tokenizer)
  const split = variants.filter((name) => hasSplit(provenance, name))
  const shown = variants.includes(FP32) ? FP32 : (split[0] ?? variants[0] ?? FP32)
  const file = (graph: string) => graphFile(graph, shown)
  const [init, step] = LAYOUTS.split
  const hasTable = provenance.recipes[shown]?.embeddings !== undefined
  const rows = hasTable ? `the table of \`${quantizedTable(shown)}\`` : `\`${EMBEDDINGS}\` (FP16, row-major)`
  const other =
    split.length === 0
      ? ''
      : `\n   The split layout: \`${file(init)}\` with the ids and \`audio_offset\` = ${before.length}, then \`${file(step)}\` with rows of \`${EMBEDDINGS}\`.`
  return `## The graphs, step by step

${layoutText(card)}

1. 16 kHz mono samples to log-mel features (\`preprocessor_config.json\`); clips below 8000 samples are zero-padded to that first.
2. \`${file(ENCODER)}\`: \`mel\` [1, 128, T] gives \`audio_features\` [1, N, H].
3. The prompt, without context and language, is
   \`${JSON.stringify(before)}\`, N times \`${pad}\`, \`${JSON.stringify(after)}\`:
   \`<|im_start|>system\\n<|im_end|>\\n<|im_start|>user\\n<|audio_start|>\`, the audio pads, \`<|audio_end|><|im_end|>\\n<|im_start|>assistant\\n\`.
   A context goes behind \`system\\n\`; \`language English<asr_text>\` at the end forces a language. All ids are those of \`tokenizer.json\`.
4. The fused layout${split.length > 0 ? ', which is quicker' : ''}: \`${file(LAYOUTS.fused[0])}\` with the prompt's rows of ${rows}, audio features in
   the pads' places, then with the row of each new token, over a KV buffer of yours: \`decoder.fused\` in \`config.json\` says how.${other}
5. Greedily, until one of \`eos_token_ids\` in \`config.json\`, at most 512 tokens. The text follows \`<asr_text>\`.${tableUse(provenance, variants)}

\`NAME.VARIANT.onnx\` falls back to \`NAME.onnx\` where a variant has no graph of its own.`
}

/** How to look tokens up where a variant has no table of its own. */
function tableUse({ recipes }: Provenance, variants: readonly string[]): string {
  const names = variants.filter((name) => recipes[name]?.embeddings !== undefined)
  return names
    .map(
      (name) => `

The embedding of token v in \`${name}\` is row v of the output layer, which \`${decoderData(name)}\` holds: \`row[h] = (q[h] - zero_point) * scale\`, with a
scale and a zero point for each block along h. \`${quantizedTable(name)}\` has the offsets, the size of a block and the bits of a level.`,
    )
    .join('')
}

function rounded(value: number): number {
  return Math.round(100 * value) / 100
}
