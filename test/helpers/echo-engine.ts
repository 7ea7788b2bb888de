// SPDX-License-Identifier: Apache-2.0

import { loadClip } from '../../eval/runtime/audio/clip.ts'

/* A command line that hears nothing but how long a clip is, and fails on clips shorter than a second. */

const { seconds, sourceRate, sourceChannels } = await loadClip(process.argv[2] ?? '')
if (sourceRate !== 16000 || sourceChannels !== 1) throw new Error('wanted 16 kHz mono')
if (seconds < 1) {
  process.stderr.write('too short\n')
  process.exit(4)
}
process.stdout.write(`heard\n  ${Math.round(seconds)} seconds\n`)
