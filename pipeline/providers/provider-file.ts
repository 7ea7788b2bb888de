// SPDX-License-Identifier: Apache-2.0

import { homedir } from 'node:os'
import { describeMachine } from '../../eval/machine.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import type { ComparedProvider } from './compare-providers.ts'
import { isSoftware } from './provider-tables.ts'

/** What the file says besides the comparison itself. */
export interface FileFacts {
  readonly folder: string
  readonly name: string
  readonly speech: string
  readonly threads: number
  /** by variant */
  readonly fingerprints: Readonly<Record<string, string>>
  /** texts of own recordings stay where they are */
  readonly hasTexts: boolean
}

/** Lines of what libraries said that are kept, of each provider. */
const LOG_LINES = 40

/**
 * What a comparison found, to be sent to the project by the user: no names of users, hosts, folders or recordings, and no text of
 * recordings that are not the project's.
 */
export function providerFile(found: readonly ComparedProvider[], facts: FileFacts): object {
  const { folder, name, speech, threads, fingerprints, hasTexts } = facts
  const { executionProvider: _, workers: __, ...machine } = describeMachine(threads)
  const clean = (text: string) =>
    text.replaceAll(folder, 'MODEL').replaceAll(PROJECT, 'PROJECT').replaceAll(homedir(), '~')
  return {
    format: 1,
    ...{ date: new Date().toISOString().slice(0, 10), machine },
    ...{ release: { name, fingerprints }, speech },
    providers: found.map(({ probe: { log, problem, ...probe }, variants, ...one }) => ({
      ...one,
      probe: {
        ...{ ...probe, isSoftware: isSoftware(probe) },
        ...(problem !== undefined && { problem: clean(problem) }),
        log: clean(log).trim().split('\n').slice(-LOG_LINES),
      },
      variants: variants.map(({ variant, verdict, clips }) => ({
        variant,
        verdict: { ...verdict, reasons: verdict.reasons.map(clean) },
        clips: clips.map(({ text, tokens, ...clip }, i) => ({
          ...{ clip: i, ...clip },
          ...(hasTexts ? { text, tokens } : { tokens: tokens.map(({ length }) => length) }),
        })),
      })),
    })),
  }
}
