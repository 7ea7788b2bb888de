import { InferenceSession } from './onnxruntime.ts'

/**
 * Whether onnxruntime-node loads a graph with its data files.
 * @returns undefined, or why it does not
 */
export async function loadProblem(path: string): Promise<string | undefined> {
  try {
    const session = await InferenceSession.create(path, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'basic',
    })
    await session.release()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
