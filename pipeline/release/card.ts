// SPDX-License-Identifier: Apache-2.0

import { stringify } from 'yaml'
import { plural } from '../../eval/plural.ts'
import { remarks } from '../../eval/report/remarks.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { type Family, FP32 } from '../../eval/runtime/graphs.ts'
import { LANGUAGES } from '../../eval/runtime/languages.ts'
import type { Row } from '../../eval/summary.ts'
import { isRepoName } from '../hub/hub-id.ts'
import { formatBytes } from '../shared/output-files.ts'
import { VARIANTS } from '../variants.ts'
import { ALIGNER_CARD } from './card-aligner.ts'
import { ASR_CARD } from './card-asr.ts'
import { hotwordSections } from './card-hotwords.ts'
import type { Card, CardKind } from './card-kind.ts'
import { gateCount, gatesSection } from './card-proof.ts'
import { quantizationSection } from './card-quantization.ts'
import { memoryOf } from './card-speed.ts'
import { TASK } from './card-task.ts'
import { details, softwareText, sourceText } from './card-text.ts'
import { downloadText } from './card-use.ts'
import type { Evidence } from './evidence.ts'
import { MAIN_FIGURES } from './main-figure.ts'
import type { ReleaseFile } from './manifest-schema.ts'
import { markdownTable } from './markdown-table.ts'
import type { Provenance } from './provenance.ts'
import { MANIFEST, SUMS } from './release-files.ts'

const KINDS: Readonly<Record<Family, CardKind>> = { asr: ASR_CARD, aligner: ALIGNER_CARD }

/**
 * README.md of a release: what the hub reads in front, what people read below, all of it measured.
 * @see https://huggingface.co/docs/hub/model-cards
 */
export function modelCard(card: Card): string {
  const { name, evidence } = card
  const kind = KINDS[evidence.family]
  const sections = [
    ...[`# ${name}`, kind.introduction(card), facts(card), ...warning(evidence)],
    ...['## Which variant', variantTable(card), ...variantNotes(card), ...mainChart(card)],
    ...['## Use', downloadText(card), ...kind.usage(card)],
    `## Limits\n\n${bullets(kind.limits(card))}`,
    ...evidence.reports.flatMap((report) => [...kind.figures(report, card), remarkList(report)]),
    ...hotwordSections(evidence.measured),
    ...kind.fidelity(card),
    ...gatesSection(card, kind.compared),
    kind.steps(card),
    ...quantizationSection(card, kind),
    filesTable(card.files),
    reproduction(card),
  ]
  return `---\n${stringify(frontMatter(card, kind))}---\n${sections.join('\n\n')}\n`
}

function frontMatter(card: Card, kind: CardKind): object {
  const { license, languages } = card.evidence.provenance
  return {
    license,
    language: languages,
    pipeline_tag: TASK,
    library_name: 'onnxruntime',
    ...baseModel(card.evidence.provenance),
    tags: [
      ...['onnx', 'onnxruntime', 'qwen3_asr', ...kind.tags],
      ...card.variants.filter((name) => name !== FP32),
    ],
    ...kind.metadata(card),
  }
}

const LANGUAGE_NAMES: ReadonlyMap<string, string> = new Map(Object.entries(LANGUAGES))

/** What visitors look for first, a line each. */
function facts({ evidence, software }: Card): string {
  const { license, languages, adapter } = evidence.provenance
  const names = languages.map((code) => LANGUAGE_NAMES.get(code) ?? code)
  return bullets([
    `**Base model:** ${sourceText(evidence.provenance)}`,
    `**License:** \`${license}\`, as for the ${adapter ? 'adapter, or its base' : 'base model'}`,
    `**Languages:** ${names.join(', ')}`,
    ...(evidence.gates.length > 0 ? [`**Checked:** ${gateCount(evidence.gates)}`] : []),
    `**Made with:** ${softwareText(software)}`,
  ])
}

function bullets(points: readonly string[]): string {
  return points.map((text) => `- ${text}`).join('\n')
}

/** How the hub links the release: to its checkpoint, or to an adapter and the base that this was merged with. */
function baseModel({ model, adapter }: Provenance): object {
  const models = [model, ...(adapter ? [adapter.base.model] : [])].filter(isRepoName)
  if (models.length === 0) return {}
  return {
    base_model: models.length === 1 ? models[0] : models,
    base_model_relation: adapter ? 'finetune' : 'quantized',
  }
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

function variantTable({ evidence: { family, reports }, variants, files }: Card): string {
  const { name: figure, of, write } = MAIN_FIGURES[family]
  const datasets = reports.flatMap((report) => report.run.datasets.map(({ name }) => ({ name, report })))
  const columns = datasets.length === 0 ? [figure] : datasets.map(({ name }) => `${figure}, ${name}`)
  const rows = variants.map((variant) => {
    const own = files.filter((file) => file.variants.includes(variant))
    const archive = own.find(({ role }) => role === 'archive')
    const disk = own.filter(({ role }) => role !== 'archive').reduce((sum, { size }) => sum + size, 0)
    const found = datasets.map(({ name, report }) => rowOf(report, name, variant))
    const rtf = found.find((row) => row !== undefined)?.speed.rtf
    const figures = found.map((row) => row && of(row))
    return [
      variant,
      archive ? `[${formatBytes(archive.size)}](${archive.path})` : '-',
      formatBytes(disk),
      reports.flatMap((report) => memoryOf(report, variant) ?? [])[0] ?? 'not measured',
      ...columns.map((_, i) => {
        const one = figures[i]
        return one ? write(one.value) : 'not measured'
      }),
      rtf === undefined ? 'not measured' : rtf.toPrecision(2),
    ]
  })
  return markdownTable(['variant', 'download', 'on disk', 'memory', ...columns, 'RTF'], rows)
}

/** What each variant is, and how to read the table of them. */
function variantNotes(card: Card): string[] {
  const { variants, evidence } = card
  const hasReference = variants.includes(FP32) && KINDS[evidence.family].fidelity(card).length > 0
  return [
    bullets(variants.map((name) => `\`${name}\`: ${VARIANTS[name]?.about}`)),
    ...(hasReference && variants.length > 1
      ? [
          `\`${FP32}\` is the reference; how close the others are to it [was measured](#how-close-each-variant-is-to-fp32).`,
        ]
      : []),
    ...(evidence.reports.length > 0
      ? [
          'Memory is the peak of the process that measured the variant. RTF is seconds of computing for a second of audio, on the machine that is named below.',
        ]
      : []),
  ]
}

function remarkList(report: Report): string {
  return `### How these figures were made\n\n${bullets(remarks(report))}`
}

function mainChart({ evidence: { family }, charts }: Card): string[] {
  const { title, file } = MAIN_FIGURES[family]
  return charts.includes(file) ? [`![${title} of each variant with its interval](${file})`] : []
}

function filesTable(files: readonly ReleaseFile[]): string {
  return `## Files

${details(
  plural(files.length, 'file'),
  markdownTable(
    ['file', 'size', 'what', 'variants'],
    files.map(({ path, size, role, variants, aliasOf }) => [
      `\`${path}\``,
      formatBytes(size),
      aliasOf ? `${role}, same as \`${aliasOf}\`` : role,
      variants.join(', '),
    ]),
  ),
)}

A variant needs its own files alone; an archive holds them all. \`${SUMS}\` and \`${MANIFEST}\` have the sha256 of each, and
\`npm run package -- verify --from-hub OWNER/NAME\` checks a download against them.`
}

function reproduction({ command, software, evidence: { provenance } }: Card): string {
  const tools = Object.entries(provenance.tools).filter(([name]) => name !== software.name)
  return `## Reproduce

    ${command}

with ${softwareText(software)}. Graphs and archives are the same bytes wherever they are made; figures of speed are not.
Made with ${tools.map((pair) => pair.join(' ')).join(', ')}.`
}

function rowOf(report: Report, dataset: string, system: string): Row | undefined {
  return mainRows(report).find(
    (row) => row.dataset === dataset && row.system === system && row.utterances > 0,
  )
}
