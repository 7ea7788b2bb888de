// SPDX-License-Identifier: Apache-2.0

import { type ModelHub, type ModelHubOptions, startModelHub } from '../hub/model-hub.ts'

/** The stand-in of the hub for one test, with parts so small that a tiny release has some. */
export async function modelHub(options: ModelHubOptions = {}): Promise<ModelHub> {
  return startModelHub({ partSize: 1 << 20, ...options })
}
