import { onTestFinished } from 'vitest'
import { type HubOptions, type ModelHub, startModelHub } from '../standin/model-hub.ts'

/** The stand-in of the hub, for one test. */
export async function modelHub(options?: HubOptions): Promise<ModelHub> {
  const hub = await startModelHub(options)
  onTestFinished(() => hub.close())
  return hub
}
