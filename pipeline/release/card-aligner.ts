// SPDX-License-Identifier: Apache-2.0

import { mainRows, type Report } from '../../eval/report/report.ts'
import { alignerPrompt } from '../../eval/runtime/aligner/aligner-prompt.ts'
import {
  ALIGNER,
  EMBEDDINGS,
  ENCODER,
  FAMILIES,
  FP32,
  graphFile,
  prefillRecipe,
} from '../../eval/runtime/graphs.ts'
import { MOVES } from '../gates/slot-gates.ts'
import { formatBytes } from '../shared/output-files.ts'
import type { Card, CardKind } from './card-kind.ts'
import { aligningProgram } from './card-python.ts'
import { speedTable } from './card-speed.ts'
import { chosenText, measuredOn, sourceText, syntheticNote } from './card-text.ts'
import { timesTable } from './card-times.ts'
import { exampleVariant, pythonText, runtimeText } from './card-use.ts'
import { type GateResult, wayName } from './gate-result.ts'
import { shownValue } from './gate-table.ts'
import { markdownTable } from './markdown-table.ts'
import { topFolder } from './release-files.ts'

/** What a card says of a forced aligner. */
export const ALIGNER_CARD: CardKind = {
  tags: ['forced-alignment', 'word-timestamps'],
  metadata: () => ({}), // leaderboards have no figure of times
  introduction,
  limits,
  figures: times,
  fidelity: moves,
  compared: ', and the times of words against those that the references have',
  usage,
  steps,
  prefillNote: (variant) => `
The project's runtime, with which ${variant} is measured, runs it by \`${graphFile(FAMILIES.aligner.prompts, variant)}\`, with products of int8 weights,
made of those of \`${graphFile(ALIGNER, variant)}\` as \`${prefillRecipe(variant, 'aligner')}\` says, by uint8 activations. \`${graphFile(ALIGNER, variant)}\` has the same inputs and outputs.`,
}

function introduction({ evidence: { provenance } }: Card): string {
  return `${sourceText(provenance)} as ONNX graphs for onnxruntime: a forced aligner. It is given a recording and the text that is said in it, and finds when
each word begins and ends. It does not recognize speech. An audio encoder and one graph behind it run once for a whole recording; nothing is generated.`
}

function limits({ aligner, evidence }: Card): string[] {
  const own = aligner
    ? [
        `Length: the graphs take recordings of at most ${aligner.maxSeconds} s: the project's runtime cuts longer ones in pauses, and their
  text with them; the Python program above does not.`,
        `Times are multiples of ${aligner.segmentMs} ms, so that a word may have no length.`,
      ]
    : []
  return [
    ...own,
    'It was not trained for other languages than those above.',
    'It finds a time for each word of the text, also for one that is not spoken: the text must match the recording.',
    measuredOn(evidence),
  ]
}

/** The times of words, and how long it takes to find them. */
function times(report: Report, { evidence }: Card): string[] {
  return report.run.datasets.map((dataset) => {
    const { name } = dataset
    const rows = mainRows(report).filter((row) => row.dataset === name && row.utterances > 0)
    const synthetic = syntheticNote(
      dataset,
      evidence,
      'its times are exact. It shows that the graphs are sound, not how well they align the speech of people.',
    )
    const [table = 'No times were measured: the references of this speech have none.'] = timesTable(
      report,
      name,
    )
    return `## Times of words on ${name}

${synthetic}${chosenText(dataset, report)}, each given with its text; intervals are 95 % by bootstrap over utterances.
${table}

### Speed on ${name}

${speedTable(rows)}`
  })
}

/** What smaller weights do to times. */
function moves({ evidence: { gates }, files }: Card): string[] {
  const moved = gates.filter(({ gate }) => gate === MOVES.share)
  const [first] = moved
  if (first === undefined) return []
  const isOf = (one: GateResult) => (other: GateResult) =>
    other.gate === MOVES.mean &&
    (['variant', 'provider', 'layout', 'prefill'] as const).every((key) => one[key] === other[key])
  const rows = moved.map((share) => {
    const mean = gates.find(isOf(share))
    const archive = files.find(({ role, variants }) => role === 'archive' && variants.includes(share.variant))
    return [
      ...[share.variant, `${share.provider}, ${wayName(share)}`, shownValue(share)],
      ...[mean ? shownValue(mean) : '-', archive ? formatBytes(archive.size) : '-'],
    ]
  })
  return [
    `## How close each variant is to FP32

A word has two slots, its start and its end. How many of them have another time than FP32 has in PyTorch, and how far all have moved on average, on
${first.clips} utterances of synthetic speech (${first.note}).

${markdownTable(['variant', 'by', 'slots moved', 'mean move', 'download'], rows)}`,
  ]
}

/** Two words, for an example of a prompt. */
const UNITS = ['hello', 'world'] as const

function usage(card: Card): string[] {
  const { name, variants, aligner } = card
  const example = exampleVariant(variants)
  const folder = topFolder(name, example)
  return [
    `${runtimeText(card, 'the times of words become JSON, SRT, WebVTT with the time of each word, CTM or a TextGrid:')}

\`\`\`sh
npx qwen3-asr-onnx align recording.wav text.txt --format srt \\
  --model-dir ${folder}
npx qwen3-asr-onnx align lecture.mp3 text.txt --recognizer ASR_FOLDER \\
  --model-dir ${folder}
\`\`\`

A recognizer is wanted for more than ${aligner?.maxSeconds ?? 180} s.

\`\`\`ts
import { Qwen3Aligner, Qwen3Asr } from 'qwen3-asr-onnx'

const folder = '${folder}'
const aligner = await Qwen3Aligner.load(folder)
const said = 'What is said in it.'
const { words } = await aligner.align('speech.flac', said, { language: 'English' })
for (const { text, start, end } of words) console.log(start, end, text)
await aligner.dispose()

// with a recognizer: recordings of any length, and times of what it transcribes
const asr = await Qwen3Asr.load('ASR_FOLDER', { aligner: folder })
console.log((await asr.align('lecture.mp3', 'Its text, of any length.')).words)
console.log((await asr.transcribe('talk.mp3')).segments[0]?.words)
await asr.dispose()
\`\`\``,
    pythonText(card, example, {
      ...{ file: 'align.py', args: 'speech.wav text.txt' },
      prints: 'the start and end of each word in seconds, for text whose words have spaces between them',
      text: aligningProgram(example),
    }),
  ]
}

function steps({ tokenizer, variants, aligner }: Card): string {
  const { ids, slots } = alignerPrompt(tokenizer, 1, UNITS)
  const [pad, after] = [ids[1], ids.slice(2)]
  const shown = variants.includes(FP32) ? FP32 : (variants[0] ?? FP32)
  const file = (graph: string) => `\`${graphFile(graph, shown)}\``
  const places = slots.map((slot) => `N + ${slot - 1}`).join(', ')
  return `## The graphs, step by step

1. 16 kHz mono samples to log-mel features (\`preprocessor_config.json\`); clips below 8000 samples are zero-padded to that first.
2. ${file(ENCODER)}: \`mel\` [1, 128, T] gives \`audio_features\` [1, N, H].
3. Cut the text into units: words by spaces, each ideograph by itself; Japanese has no spaces, so that a dictionary has to
   find its words. Keep letters, numbers and apostrophes of each.
4. The prompt: \`<|audio_start|>\`, N audio pads, \`<|audio_end|>\`, then each unit with two \`<timestamp>\` behind it. There is no chat template, and
   no space between units: either moves the times. Of "${UNITS.join(' ')}" it is
   \`${JSON.stringify(ids.slice(0, 1))}\`, N times \`${pad}\`, \`${JSON.stringify(after)}\`. All ids are those of \`tokenizer.json\`.
5. ${file(ALIGNER)}: \`input_embeds\` [1, S, H] are the prompt's rows of \`${EMBEDDINGS}\` (FP16, row-major), audio features in the pads' places;
   \`input_lengths\` is [S]; \`slots\` [1, 2 x units] are the places of the timestamps, here ${places}. It gives \`logits\` [1, 2 x units, ${aligner?.classes ?? 'classes'}].
6. The largest logit's class times ${aligner?.segmentMs ?? 80} ms is the time of a slot: start and end of each unit. Make times non-decreasing: the longest
   non-decreasing subsequence stays. One or two others in a row take the nearer of their neighbours, more are laid evenly between them.

\`aligner\` in \`config.json\` says it too. \`encoder.VARIANT.onnx\` falls back to \`encoder.onnx\` where a variant has no encoder of its own.`
}
