// SPDX-License-Identifier: Apache-2.0

/** In the order in which they run. Apart from the stages, so that the command line answers before they are loaded. */
export const STAGE_NAMES = [
  'export',
  'rewrite',
  'quantize',
  'validate',
  'evaluate',
  'package',
  'publish',
] as const

/** One of {@link STAGE_NAMES}. */
export type StageName = (typeof STAGE_NAMES)[number]
