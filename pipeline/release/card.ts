import { stringify } from 'yaml'
import { percent } from '../../eval/report/number-text.ts'
import { remarks } from '../../eval/report/remarks.ts'
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
import { buildPrompt } from '../../eval/runtime/prompt.ts'
import type { Tokenizer } from '../../eval/runtime/tokenizer.ts'
import type { Row } from '../../eval/summary.ts'
import { isRepoName } from '../hub/hub-id.ts'
import type { Recipe } from '../recipe-schema.ts'
import { encoderTags, layoutsOf, needsCalibration, recipeTag } from '../recipes.ts'
import { formatBytes } from '../shared/output-files.ts'
import { VARIANTS } from '../variants.ts'
import { fidelitySection, gatesSection } from './card-proof.ts'
import { asMade, choiceText } from './encoder-choice.ts'
import type { Evidence } from './evidence.ts'
import type { ReleaseFile } from './manifest-schema.ts'
import { markdownTable } from './markdown-table.ts'
import type { Provenance } from './provenance.ts'
import { CHART, MANIFEST, SUMS } from './release-files.ts'

const TASK = 'automatic-speech-recognition'
const BUNDLED = 'held-out'
const SYNTHETIC = `Synthetic speech (espeak-ng) that ships with the project: it shows that the graphs are sound, not how well they hear people.

`

export interface Card {
  readonly name: string
  readonly evidence: Evidence
  readonly command: string
  readonly variants: readonly string[]
  readonly files: readonly ReleaseFile[]
  readonly tokenizer: Tokenizer
  readonly hasChart: boolean
  readonly hasFidelityChart: boolean
}

/**
 * README.md of a release: what the hub wants to know in front, what a reader wants to know below, all of it measured.
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(card: Card): string {
  const { name, evidence, variants } = card
  const { provenance } = evidence
  const sections = [
    `# ${name}`,
    introduction(card),
    ...warning(evidence),
    variantTable(card),
    ...evidence.reports.map((report) => accuracy(report, evidence)),
    ...(card.hasChart ? [`![Word error rate of each variant with its interval](${CHART})`] : []),
    ...fidelitySection(card),
    ...gatesSection(card),
    usage(card),
    ...quantization(provenance, variants),
    filesTable(card.files),
    reproduction(card),
  ]
  return `---\n${stringify(frontMatter(card))}---\n${sections.join('\n\n')}\n`
}

function frontMatter({ name, variants, evidence: { provenance, reports } }: Card): object {
  const { model, license, languages } = provenance
  const results = reports.flatMap(indexResults)
  return {
    license,
    language: languages,
    pipeline_tag: TASK,
    library_name: 'onnxruntime',
    ...(isRepoName(model) && { base_model: model, base_model_relation: 'quantized' }),
    tags: [
      'onnx',
      'onnxruntime',
      'qwen3_asr',
      'speech-recognition',
      ...variants.filter((name) => name !== FP32),
    ],
    metrics: ['wer'],
    ...(results.length > 0 && { 'model-index': [{ name, results }] }),
  }
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

function introduction({ variants, evidence: { provenance } }: Card): string {
  const { model, revision } = provenance
  const source = isRepoName(model) ? `[${model}](https://huggingface.co/${model})` : model
  const start = `${source}${revision ? ` at \`${revision.slice(0, 12)}\`` : ''} as ONNX graphs for onnxruntime: an audio encoder and a decoder over shared weights. The decoder`
  const fusedOnly = variants.filter((name) => !hasSplit(provenance, name))
  if (fusedOnly.length === variants.length) return `${start} is\none fused graph for prompts and steps.`
  const except = fusedOnly.length === 0 ? '' : `\n${fusedOnly.join(', ')}: the fused graph only.`
  return `${start}
comes in two layouts: one fused graph for prompts and steps, or two graphs (prompt, one step) as earlier releases have.${except}`
}

function hasSplit({ recipes }: Provenance, variant: string): boolean {
  return layoutsOf(recipes[variant]).includes('split')
}

function warning({ problems }: Evidence): string[] {
  if (problems.length === 0) return []
  return [
    [
      '> **Not validated.** This release was packaged with `--allow-ungated`:',
      ...problems.map((text) => `> - ${text}`),
    ].join('\n'),
  ]
}

function variantTable({ evidence: { reports }, variants, files }: Card): string {
  const datasets = reports.flatMap((report) => report.run.datasets.map(({ name }) => ({ name, report })))
  const header = ['variant', 'download', 'on disk', ...datasets.map(({ name }) => `WER, ${name}`), 'RTF']
  const rows = variants.map((variant) => {
    const own = files.filter((file) => file.variants.includes(variant))
    const archive = own.find(({ role }) => role === 'archive')
    const disk = own.filter(({ role }) => role !== 'archive').reduce((sum, { size }) => sum + size, 0)
    const found = datasets.map(({ name, report }) => rowOf(report, name, variant))
    const rtf = found.find((row) => row !== undefined)?.speed.rtf
    return [
      variant,
      archive ? `[${formatBytes(archive.size)}](${archive.path})` : '-',
      formatBytes(disk),
      ...found.map((row) => (row ? `${percent(row.wer)} (${interval(row)})` : 'not measured')),
      rtf === undefined ? 'not measured' : rtf.toPrecision(2),
    ]
  })
  return markdownTable(header, rows)
}

/** Counts and conditions beside the rates. */
function accuracy(report: Report, { evaluation }: Evidence): string {
  const sections = report.run.datasets.map(({ name, count, of, normalizer, source }) => {
    const rows = mainRows(report).filter(({ dataset, utterances }) => dataset === name && utterances > 0)
    const where =
      typeof source['repo'] === 'string'
        ? ` (\`${source['repo']}\`, ${source['config']}, ${source['split']})`
        : ''
    const { sample, seed } = report.run.selection
    const chosen =
      count === of
        ? `all ${of} utterances`
        : `${count} of ${of} utterances (${sample}${seed === undefined ? '' : `, seed ${seed}`})`
    const isBundled = evaluation?.isBundledSpeech === true && source['kind'] === 'folder' && name === BUNDLED
    return `## Accuracy on ${name}

${isBundled ? SYNTHETIC : ''}${chosen}${where}, normalizer \`${normalizer}\`, greedy; intervals are 95 % by bootstrap.

${markdownTable(
  ['variant', 'WER', '95 % interval', 'words', 'sub', 'del', 'ins', 'CER', 'tokens/s', 'p50', 'p90'],
  rows.map(({ system, wer, errors, cer, speed, ...row }) => [
    ...[system, percent(wer), interval(row)],
    ...[errors.words, errors.substitutions, errors.deletions, errors.insertions].map(String),
    ...[percent(cer), speed.tokensPerSecond.toFixed(0)],
    ...[speed.latency.p50, speed.latency.p90].map((seconds) => `${seconds.toFixed(2)} s`),
  ]),
)}`
  })
  return [
    ...sections,
    remarks(report)
      .map((text) => `- ${text}`)
      .join('\n'),
  ].join('\n\n')
}

function usage({ tokenizer, variants, evidence: { provenance } }: Card): string {
  const { ids, audioOffset } = buildPrompt(tokenizer, 1)
  const [before, after] = [ids.slice(0, audioOffset), ids.slice(audioOffset + 1)]
  const split = variants.filter((name) => hasSplit(provenance, name))
  const shown = variants.includes(FP32) ? FP32 : (split[0] ?? variants[0] ?? FP32)
  const file = (graph: string) => graphFile(graph, shown)
  const [init, step] = LAYOUTS.split
  const hasTable = provenance.recipes[shown]?.embeddings !== undefined
  const rows = hasTable ? `the table of \`${quantizedTable(shown)}\`` : `\`${EMBEDDINGS}\` (FP16, row-major)`
  const other =
    split.length === 0
      ? ''
      : `\n   The split layout: \`${file(init)}\` with the ids and \`audio_offset\` = ${audioOffset}, then \`${file(step)}\` with rows of \`${EMBEDDINGS}\`.`
  return `## Use

\`\`\`ts
import { Qwen3Asr } from 'qwen3-asr-onnx'

const asr = await Qwen3Asr.load('FOLDER')
console.log((await asr.transcribe('speech.flac')).text)
\`\`\`

or with any onnxruntime, step by step:

1. 16 kHz mono samples to log-mel features (\`preprocessor_config.json\`); clips below 8000 samples are zero-padded to that first.
2. \`${file(ENCODER)}\`: \`mel\` [1, 128, T] gives \`audio_features\` [1, N, H].
3. The prompt, without context and language, is
   \`${JSON.stringify(before)}\`, N times \`${ids[audioOffset]}\`, \`${JSON.stringify(after)}\`:
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

function quantization(
  { recipes, options, calibration, chosen = {}, encoders = {} }: Provenance,
  variants: readonly string[],
): string[] {
  const made = variants.flatMap((name) => (recipes[name] ? [[name, recipes[name]] as const] : []))
  if (made.length === 0) return []
  const notes = made.flatMap(([name, { prompts }]) => (prompts === 'int8' ? [prefillNote(name)] : []))
  const list = made.map(([name, recipe]) => {
    const choice = encoders[name]
    const tags = encoderTags(asMade(recipe, choice), options.accuracyLevel)
    const file = `\`${graphFile(ENCODER, name)}\``
    const encoder = tags ? `${file}: ${tags}` : `${file} is the FP32 encoder under this variant's name`
    const table = recipe.embeddings === undefined ? '' : tableNote(name)
    return `- \`${name}\` (${VARIANTS[name]?.about}): ${recipeTag(recipe, options.accuracyLevel)}. ${encoder}.${choice ? ` ${choiceText(choice)}` : ''}${table}`
  })
  return [
    `## Quantization

${list.join('\n')}
${made.every(([, { embeddings }]) => embeddings !== undefined) ? '' : `\n\`${EMBEDDINGS}\` is FP16.`}${notes.join('')}${chosenNotes(
  chosen,
  made.map(([name]) => name),
)}${calibrationNote(calibration, made)}`,
  ]
}

function tableNote(variant: string): string {
  const table = `\`${quantizedTable(variant)}\``
  return ` The variant has the fused layout only, and needs no \`${EMBEDDINGS}\`: the output layer is the embedding table too, and ${table} says how to read its rows.`
}

/** Which weights an `auto` rule took. */
function chosenNotes(chosen: NonNullable<Provenance['chosen']>, variants: readonly string[]): string {
  return variants
    .flatMap((variant) => {
      const formats = Object.entries(chosen[variant] ?? {})
      const counts = new Map<string, number>()
      for (const [, format] of formats) counts.set(format, (counts.get(format) ?? 0) + 1)
      const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? []
      const others = formats.filter(([, format]) => format !== most)
      if (most === undefined || others.length === 0) return []
      const list = others.map(([name, format]) => `\`${name}\` ${format}`).join(', ')
      return [`\n\nThe calibration chose for ${variant}: ${list}; all others ${most}.`]
    })
    .join('')
}

/** What people must know before they measure: speech that chose the weights cannot judge them. */
function calibrationNote(
  calibration: Provenance['calibration'],
  made: readonly (readonly [string, Recipe])[],
): string {
  const variants = made.filter(([, recipe]) => needsCalibration(recipe)).map(([name]) => name)
  if (calibration === undefined || variants.length === 0) return ''
  const { dataset, clips, positions, versions } = calibration
  const seconds = clips.reduce((sum, clip) => sum + clip.seconds, 0)
  const { repo, name, isBundled } = dataset
  const named =
    isBundled === true
      ? 'synthetic English speech (espeak-ng) that ships with the project'
      : `the dataset ${typeof repo === 'string' ? repo : name}`
  const tools = Object.entries(versions).map((pair) => pair.join(' '))
  return `

${variants.join(', ')} ${variants.length === 1 ? 'was' : 'were'} calibrated on ${clips.length} recordings of ${named} (${seconds.toFixed(0)} s; ${positions} tokens of prompts and of
FP32's own answers; ${tools.join(', ')}), none of which was used to judge the release. \`${MANIFEST}\` lists them with the sha256 of their samples.`
}

function prefillNote(variant: string): string {
  return `
${variant} was measured as the project's runtime runs it: prompts by \`${graphFile(PREFILL, variant)}\`, with products of int8 weights,
made of the steps' weights as \`${prefillRecipe(variant)}\` says, by uint8 activations. \`${graphFile(LAYOUTS.fused[0], variant)}\` runs prompts too.`
}

function filesTable(files: readonly ReleaseFile[]): string {
  return `## Files

${markdownTable(
  ['file', 'size', 'what', 'variants'],
  files.map(({ path, size, role, variants, aliasOf }) => [
    `\`${path}\``,
    formatBytes(size),
    aliasOf ? `${role}, same as \`${aliasOf}\`` : role,
    variants.join(', '),
  ]),
)}

A variant needs its own files alone; an archive holds them all. \`${SUMS}\` and \`${MANIFEST}\` have the sha256 of each, and
\`npm run package -- verify --from-hub OWNER/NAME\` checks a download against them.`
}

function reproduction({ command, evidence: { provenance } }: Card): string {
  const [project, ...others] = Object.entries(provenance.tools).map((pair) => pair.join(' '))
  return `## Reproduce

    ${command}

with ${project}. Graphs and archives are the same bytes wherever they are made; figures of speed are not.
Made with ${others.join(', ')}.`
}

function rowOf(report: Report, dataset: string, system: string): Row | undefined {
  return mainRows(report).find(
    (row) => row.dataset === dataset && row.system === system && row.utterances > 0,
  )
}

function interval({ werInterval: { low, high } }: Pick<Row, 'werInterval'>): string {
  return Number.isFinite(low) ? `${percent(low)} to ${percent(high)}` : 'no interval'
}

function rounded(value: number): number {
  return Math.round(100 * value) / 100
}
