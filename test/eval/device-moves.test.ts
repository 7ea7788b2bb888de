// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { openDeviceMoves } from '../../eval/runtime/device-moves.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { arraysOf, NAMES, position, SHAPE } from '../helpers/kv-rounds.ts'

it('a provider that keeps nothing on a device is refused', async () => {
  const moves = await openDeviceMoves(NAMES.length, SHAPE, { provider: 'cpu', threads: 1 })
  const moved = moves.gather(arraysOf([[position(1)]]), 1, 64, () => [0, 0])
  const error = await moved.catch((error: unknown) => error)
  expect(error).toBeInstanceOf(SpeechError)
  expect(error).toMatchObject({
    message:
      'Keys and values cannot be kept on the device with cpu: The runtime returned them as cpu, wanted gpu-buffer.',
    hint: 'Choose another provider, such as cpu.',
  })
  await moves.release()
})
