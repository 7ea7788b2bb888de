// SPDX-License-Identifier: Apache-2.0

import { PROVIDER_NAMES, PROVIDERS, providerLabel } from '../../eval/runtime/providers.ts'
import { usage } from './arguments.ts'

/** For --help, with untested ones marked. */
export const PROVIDERS_LISTED = PROVIDER_NAMES.map(providerLabel).join(', ')

/** A note for users of a provider that this project has never run, with a way to check it. */
export function tellUntested(provider: string, note: (text: string) => void): void {
  if (PROVIDERS[provider]?.isTried !== false) return
  note(
    `${provider}: this project has never tested it. npm run compare -- --model-dir DIR --providers ${provider} shows whether it is right here.`,
  )
}

/**
 * Providers as a command line names them, "cpu,webgpu", each once.
 * @throws Failure with exit code 2 for names that the table of providers has not
 */
export function providerList(listed: string): string[] {
  const names = listed.split(',').map((name) => name.trim())
  const wrong = names.find((name) => !PROVIDER_NAMES.includes(name))
  if (wrong === undefined) return [...new Set(names)]
  throw usage(`--providers names ${JSON.stringify(wrong)}, wanted some of ${PROVIDER_NAMES.join(', ')}.`)
}
