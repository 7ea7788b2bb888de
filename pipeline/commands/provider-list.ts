import { PROVIDER_NAMES } from '../../eval/runtime/providers.ts'
import { usage } from './arguments.ts'

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
