// SPDX-License-Identifier: Apache-2.0

import { providerLabel } from '../../eval/runtime/providers.ts'
import { workOf } from '../../eval/runtime/timing.ts'
import { formatBytes } from '../shared/output-files.ts'
import { tableLines } from '../shared/text-table.ts'
import { columnsOf, wrapLines } from '../shared/text-width.ts'
import type { ComparedProvider, ComparedVariant } from './compare-providers.ts'
import type { Probe } from './probe-provider.ts'
import type { StepProfile } from './step-profile.ts'

/* What a comparison of providers says in a terminal. */

const NOT_KNOWN = 'not known'

/**
 * The tables of a comparison of providers, as lines of a terminal.
 * @param title of the whole; a folder of speech and a release
 */
export function providerLines(title: string, found: readonly ComparedProvider[]): string[] {
  const heard = found.flatMap((one) => one.variants.map((variant) => ({ one, variant })))
  const steps = found.flatMap(({ provider, probe }) =>
    Object.entries(probe.steps).map(([variant, step]) => stepRow(provider, variant, step)),
  )
  return [
    title,
    ...tableLines(['provider', 'here', 'float16', 'device', 'driver'], found.map(probeRow)),
    ...(heard.length === 0
      ? []
      : [
          ...['', 'Transcripts and logits beside those of the processor'],
          ...tableLines(
            ['provider', 'variant', 'verdict', 'same transcripts', 'features', 'logits'],
            heard.map(({ one, variant }) => verdictRow(one.provider, variant)),
          ),
          ...['', 'Seconds of compute for a second of audio, after the first clip'],
          ...tableLines(
            ['provider', 'variant', 'RTF', 'mel', 'encoder', 'prompt', 'steps', 'a step', 'host', 'device'],
            heard.map(({ one, variant }) => speedRow(one, variant)),
          ),
        ]),
    ...(steps.length === 0
      ? []
      : [
          ...['', 'One step of the decoder: operators, and copies between host and device'],
          ...tableLines(
            ['provider', 'variant', 'on device', 'on processor', 'copied inside', 'fed', 'fetched'],
            steps,
          ),
        ]),
    '',
    ...wrapLines(
      found.flatMap(remarksOf).map((text) => `  ${text}`),
      columnsOf(process.stdout),
    ),
  ]
}

function probeRow({ provider, probe }: ComparedProvider): string[] {
  const { isAvailable, halves, devices, drivers } = probe
  const [first] = devices
  return [
    ...[providerLabel(provider), isAvailable ? 'yes' : 'no'],
    halves ?? NOT_KNOWN,
    devices.map(({ name }) => name).join('; ') || (provider === 'cpu' ? '-' : NOT_KNOWN),
    first?.driver ?? (drivers.join(', ') || (provider === 'cpu' ? '-' : NOT_KNOWN)),
  ]
}

function verdictRow(provider: string, { variant, verdict }: ComparedVariant): string[] {
  const { isRight, changed, of, features, logits } = verdict
  const number = (value: number | undefined) =>
    value === undefined ? '-' : Number.isNaN(value) ? 'not finite' : value.toExponential(1)
  return [
    ...[providerLabel(provider), variant, isRight ? 'right' : 'WRONG', `${of - changed} of ${of}`],
    ...[number(features), number(logits)],
  ]
}

function speedRow({ provider, host, device }: ComparedProvider, { variant, clips }: ComparedVariant) {
  const seconds = clips.reduce((sum, clip) => sum + clip.seconds, 0)
  const part = (of: (clip: (typeof clips)[number]) => number) =>
    clips.reduce((sum, clip) => sum + of(clip), 0)
  const rate = (of: Parameters<typeof part>[0]) => (seconds > 0 ? (part(of) / seconds).toPrecision(2) : '-')
  const steps = part((clip) => clip.steps)
  return [
    ...[providerLabel(provider), variant, rate(({ timing }) => workOf(timing))],
    ...(['mel', 'encoder', 'prefill', 'decode'] as const).map((key) => rate(({ timing }) => timing[key])),
    steps > 0 ? `${((1000 * part(({ timing }) => timing.decode)) / steps).toFixed(1)} ms` : '-',
    host === undefined ? NOT_KNOWN : formatBytes(host),
    device === undefined ? (provider === 'cpu' ? '-' : NOT_KNOWN) : formatBytes(device),
  ]
}

function stepRow(provider: string, variant: string, step: StepProfile): string[] {
  const { device, processor, toDevice, toHost, fed, fetched } = step
  const here = Object.values(processor).reduce((sum, count) => sum + count, 0)
  return [
    ...[providerLabel(provider), variant, String(device), String(here)],
    `${toDevice} to the device, ${toHost} back`,
    ...[fed, fetched].map(({ tensors, bytes }) => `${tensors} (${formatBytes(bytes)})`),
  ]
}

function remarksOf({ provider, isTried, probe, variants }: ComparedProvider): string[] {
  return [
    ...missing(provider, probe),
    ...(isTried
      ? []
      : [`${provider}: this project has never tested it; the figures here are all that is known.`]),
    ...variants.flatMap(({ variant, verdict }) =>
      verdict.reasons.map((reason) => `${variant} on ${provider} is wrong: ${reason}.`),
    ),
    ...(probe.isAvailable && probe.halves === 'no'
      ? [
          `${provider}: the device has no float16, so neither the variant fp16 nor the split layout (decoder_init) can run on it.`,
        ]
      : []),
    ...(isSoftware(probe) ? [`${provider}: this is a device in software. Its speed means nothing.`] : []),
  ]
}

function missing(provider: string, { isAvailable, problem, hint }: Probe): string[] {
  if (problem === undefined) return []
  const why = problem.trim().replace(/\.$/, '')
  return isAvailable
    ? [`${provider}: ${why}.`]
    : [`${provider} is not available: ${why}. ${hint ?? ''}`.trim()]
}

/**
 * The device that a provider computed with, for a sentence: its name and driver, or the driver's library. onnxruntime does not say
 * which of several it takes.
 * @returns undefined when neither is known
 */
export function deviceText(probe: Pick<Probe, 'drivers' | 'devices'>): string | undefined {
  const names = probe.devices.map(({ name, driver }) =>
    driver === undefined ? name : `${name} (driver ${driver})`,
  )
  const known = (names.length > 0 ? names : probe.drivers).join(' or ')
  if (known === '') return undefined
  return isSoftware(probe) ? `${known}, a device in software` : known
}

/** SwiftShader and lavapipe compute on the processor. */
export function isSoftware({ drivers, devices }: Pick<Probe, 'drivers' | 'devices'>): boolean {
  return [...drivers, ...devices.map(({ name }) => name)].some((name) =>
    /swiftshader|lavapipe|llvmpipe|libvulkan_lvp/i.test(name),
  )
}
