// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import type { Family } from '../../eval/runtime/graphs.ts'
import {
  about,
  count,
  dictionary,
  list,
  number,
  type Parsed,
  section,
  shape,
  text,
  truth,
  whole,
} from '../../eval/runtime/schema.ts'
import { RECIPE } from '../recipe-schema.ts'
import { SOFTWARE } from '../shared/own-version.ts'
import { ADAPTER } from './adapter-schema.ts'
import { CALIBRATION, CHOSEN } from './calibration-schema.ts'
import { ENCODER_CHOICES } from './encoder-schema.ts'
import { FIDELITIES } from './fidelity-schema.ts'
import { FIGURE, INTERVAL } from './figure-schema.ts'
import { GATE_RESULTS } from './gate-result.ts'
import { HOTWORD_DIFFERENCES, HOTWORDS, LISTS } from './hotwords-schema.ts'
import { TIMES } from './times-schema.ts'

/*
 * manifest.json of a release. Keys that the schema does not name are let pass and not kept: later releases of this format
 * may have more.
 */

/** Version of the form of manifest.json; readers refuse another one. */
export const MANIFEST_FORMAT = 1

const ROLES = [
  ...[
    'encoder',
    'decoder',
    'aligner',
    'prefill',
    'weights',
    'embeddings',
    'config',
    'archive',
    'documentation',
  ],
] as const
const KINDS = ['asr', 'aligner'] as const satisfies readonly Family[]

const HASH = 'a SHA-256 of 64 hexadecimal digits in lower case'
const sha256 = v.pipe(v.string(HASH), v.regex(/^[0-9a-f]{64}$/, HASH))

const NAME =
  'a file name of at most 255 letters, digits, dots, dashes and underscores that every file system takes'
/** Windows opens devices under these names, with any extension (learn.microsoft.com, "Naming Files, Paths, and Namespaces"). */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i
const fileName = v.pipe(
  v.string(NAME),
  v.regex(/^\w([\w.-]{0,253}[\w-])?$/, NAME),
  v.check((name) => !DEVICE.test(name), NAME),
)

const FILE = shape({
  path: about('Its name, without folders.', fileName),
  size: about('Bytes.', count),
  sha256: about('SHA-256 of its content.', sha256),
  role: about('What it is.', v.picklist(ROLES, `one of ${ROLES.join(', ')}`)),
  variants: about('Variants that need it; an archive holds one.', list(text)),
  aliasOf: v.exactOptional(about('An earlier file of this list with the same content.', fileName)),
})

/** Names are files of their own on file systems that ignore case too, and an alias names a file that is there before it. */
const FILES = v.pipe(
  list(FILE),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const seen = new Map<string, string>()
    for (const [at, file] of dataset.value.entries()) {
      const wrong = (key: 'path' | 'aliasOf', message: string) =>
        addIssue({ message, input: file[key], path: [step(dataset.value, at), step(file, key)] })
      const { path, aliasOf } = file
      const other = seen.get(path.toLowerCase())
      if (other !== undefined) wrong('path', `a name that differs from ${other} in more than case`)
      if (aliasOf !== undefined && seen.get(aliasOf.toLowerCase()) !== aliasOf)
        wrong('aliasOf', 'the name of a file before it')
      seen.set(path.toLowerCase(), path)
    }
  }),
)

function step(input: object, key: string | number): v.IssuePathItem {
  return { type: 'unknown', origin: 'value', input, key, value: Reflect.get(input, key) }
}

const SELF_TEST = shape({
  variant: about('The variant.', text),
  clip: about('The clip, which ships with the project.', text),
  clipSha256: about('SHA-256 of the clip.', sha256),
  text: about('The transcript of the variant; of a forced aligner, the text that it was given.', text),
  words: v.exactOptional(
    about(
      'When a forced aligner found the words of the text.',
      list(
        shape({
          text: about('The word.', text),
          start: about('Seconds from the beginning of the clip.', number),
          end: about('The same of its end.', number),
        }),
      ),
    ),
  ),
})

const PERCENTILES = shape({
  p50: about('Half are below.', FIGURE),
  p90: about('Nine of ten are below.', FIGURE),
  p99: about('99 of 100 are below.', FIGURE),
})

const RESULT = shape({
  dataset: about('The dataset.', text),
  normalizer: about('How texts were made comparable.', text),
  system: about(
    'The variant that was measured; ` + hotwords` behind it: with a list for each utterance.',
    text,
  ),
  utterances: about('Utterances that were transcribed.', count),
  errors: about(
    'Counts of words, by minimum-edit alignment.',
    shape({
      hits: about('Words that are right.', count),
      substitutions: about('Other words instead.', count),
      deletions: about('Words that are missing.', count),
      insertions: about('Words too many.', count),
      words: about('Words of the references.', count),
    }),
  ),
  wer: about('Word error rate, 1 is 100 %.', FIGURE),
  werInterval: about('Its 95 % interval by bootstrap.', INTERVAL),
  characters: about('Characters of the references.', count),
  cer: about('Character error rate.', FIGURE),
  cerInterval: about('Its 95 % interval by bootstrap.', INTERVAL),
  failures: about(
    'Utterances with a failure, by its kind.',
    shape({
      problems: about('Could not be read or transcribed: all words count as deleted.', count),
      empty: about('No text where the reference has one.', count),
      saysNone: about('The model said `language None`.', count),
      withoutMarker: about('Without `<asr_text>`.', count),
      loops: about('Repetitions that were stopped.', count),
      limited: about('Ended by the limit of tokens.', count),
    }),
  ),
  speed: about(
    'Speed of this machine; times are seconds.',
    shape({
      audioSeconds: about('Seconds of speech.', number),
      compute: about('Seconds of computation.', number),
      rtf: about('compute / audioSeconds.', FIGURE),
      rtfx: about('audioSeconds / compute.', FIGURE),
      timing: v.exactOptional(
        about(
          'Parts of compute.',
          shape({
            mel: about('Mel spectrogram.', number),
            encoder: about('Audio encoder.', number),
            prefill: about('Prompt.', number),
            decode: v.exactOptional(about('Every further token; not of aligners.', number)),
          }),
        ),
      ),
      firstToken: v.exactOptional(about('Seconds to the first token.', PERCENTILES)),
      tokens: about('Tokens that were computed.', count),
      tokensPerSecond: about('Tokens for each second of decoding.', FIGURE),
      latency: about('Seconds for a whole utterance.', PERCENTILES),
    }),
  ),
  recitals: v.exactOptional(
    about('Utterances that were decoded again, since the output was their context.', count),
  ),
  times: v.exactOptional(
    about('Times of words against those of the references, where both sides have them.', TIMES),
  ),
  hotwords: v.exactOptional(
    about(
      'How hotwords were recognized, where utterances have lists, whether these were given or not.',
      HOTWORDS,
    ),
  ),
})

const DIFFERENCE = shape({
  dataset: about('The dataset.', text),
  normalizer: about('How texts were made comparable.', text),
  first: about('One variant.', text),
  second: about('The other one.', text),
  utterances: about('Utterances that both have.', count),
  difference: about('WER of the second less that of the first.', FIGURE),
  low: about('Lower end of its 95 % interval.', FIGURE),
  high: about('Upper end of its 95 % interval.', FIGURE),
  higher: about('Share of resamples in which the second has the higher rate.', FIGURE),
  distinct: about('Whether the interval excludes 0.', truth),
  hotwords: v.exactOptional(
    about('What lists of hotwords changed, where the second is the first with them.', HOTWORD_DIFFERENCES),
  ),
})

const MACHINE = shape({
  id: about('Hash of the description.', text),
  machine: about(
    'No host name, user or path.',
    shape({
      cpu: about('Processor.', text),
      cores: about('Its cores.', count),
      features: about('Instruction sets that decide how fast the runtime is.', list(text)),
      memoryGiB: about('Memory in GiB.', count),
      platform: about('System and architecture.', text),
      node: about('Version of Node.js.', text),
      onnxruntime: about('Version of onnxruntime.', text),
      executionProvider: about('What computes.', text),
      threads: about('Threads of each worker.', count),
      workers: about('Workers side by side.', count),
    }),
  ),
  results: about('Utterances times variants that it measured.', count),
})

const MEASUREMENT = shape({
  dataset: about('Its name.', text),
  source: about('Where it is from: repository, revision, split.', section({})),
  selection: about('Which utterances were taken.', section({})),
  normalizer: about('How texts were made comparable.', text),
  hotwords: v.exactOptional(about('Lists of hotwords, where it was measured with them, too.', LISTS)),
  results: about('One for each variant.', list(RESULT)),
  differences: about('Variants against each other, on the same utterances.', list(DIFFERENCE)),
  machines: about('What it was measured on.', list(MACHINE)),
})

const VERDICTS = ['right', 'wrong', 'not measured'] as const

/** The whole of manifest.json, in the order in which it is written. */
export const MANIFEST_SCHEMA = shape({
  format: about('Version of this format.', whole(MANIFEST_FORMAT, MANIFEST_FORMAT)),
  family: v.exactOptional(
    about(
      'The kind of model: speech recognition or a forced aligner. Missing in older releases, which are all of the first kind.',
      v.picklist(KINDS, `one of ${KINDS.join(', ')}`),
    ),
  ),
  name: about('Name of the release, which its archives have.', text),
  source: about(
    'The checkpoint.',
    shape({
      model: about('Its repository on the hub, or the name of its folder.', text),
      revision: v.exactOptional(about('Commit of the repository.', text)),
      license: about('Identifier of its license.', text),
      adapter: v.exactOptional(
        about(
          'The model is this adapter, merged with its base; then `checkpoint` has the files of the base.',
          ADAPTER,
        ),
      ),
      checkpoint: about(
        'Its files.',
        list(shape({ file: about('Its name.', text), sha256: about('SHA-256 of its content.', sha256) })),
      ),
    }),
  ),
  options: about(
    'Settings of export and quantization.',
    shape({
      opset: about('ONNX opset.', count),
      blockSize: v.exactOptional(about('Weights that share a scale.', count)),
      accuracyLevel: v.exactOptional(about('accuracy_level of MatMulNBits.', count)),
      symmetric: v.exactOptional(about('Whether weights have no zero points.', truth)),
      prefillInt8: v.exactOptional(about('Whether prompts have a graph with 8-bit products.', truth)),
    }),
  ),
  recipes: v.exactOptional(
    about('How the weights of each variant were made; of fp32 there is none.', dictionary(RECIPE)),
  ),
  calibration: v.exactOptional(about('What recipes were calibrated on.', CALIBRATION)),
  chosen: v.exactOptional(
    about(
      "Formats of the decoder's weights, of variants whose recipes leave the choice to the calibration.",
      CHOSEN,
    ),
  ),
  encoders: v.exactOptional(
    about('By which rules encoders were made, of variants whose recipes have several.', ENCODER_CHOICES),
  ),
  tools: about('Versions of what computed.', dictionary(text)),
  software: v.exactOptional(
    about('The software that made this release. Missing in older releases.', SOFTWARE),
  ),
  command: about('The command that makes the release again.', text),
  ungated: about('Empty when every gate has passed; else why not.', list(text)),
  files: about('Every file of the release but this one and SHA256SUMS.', FILES),
  selfTests: about('What each variant made of a clip when the release was made.', list(SELF_TEST)),
  providers: v.exactOptional(
    about(
      'Execution providers that the release was validated for.',
      list(
        shape({
          name: about('As onnxruntime names it.', text),
          verdict: about(
            'right: every gate on it has passed; wrong: one has failed; not measured: one is missing, or was of other files.',
            v.picklist(VERDICTS, `one of ${VERDICTS.join(', ')}`),
          ),
          device: v.exactOptional(
            about('The device that it was validated on, or its driver. Missing where it is not known.', text),
          ),
          isTested: about('Whether the project itself has ever run this provider.', truth),
        }),
      ),
    ),
  ),
  gates: v.exactOptional(about('What every gate found of these files.', GATE_RESULTS)),
  fidelity: v.exactOptional(about('How close each variant is to FP32 in PyTorch.', FIDELITIES)),
  reference: v.exactOptional(about('Versions of what the gates compared with.', dictionary(text))),
  evaluation: about('What was measured, by dataset.', list(MEASUREMENT)),
})

/** The content of a release's manifest.json. */
export type Manifest = Parsed<typeof MANIFEST_SCHEMA>
/** A file of a release: path, size in bytes, SHA-256 and role. */
export type ReleaseFile = Parsed<typeof FILE>
/** What a file of a release is for. */
export type Role = ReleaseFile['role']
/** What a variant made of the test clip when the release was packaged. */
export type SelfTest = Parsed<typeof SELF_TEST>
/** What was measured of the variants on one dataset. */
export type Measurement = Parsed<typeof MEASUREMENT>
