import type { RunCommand } from './run-command.ts'

/** All commands, each loaded when it is called. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ readonly run: RunCommand }>>> = {
  pipeline: () => import('./pipeline-command.ts'),
  evaluate: () => import('./evaluate-command.ts'),
  transcribe: () => import('./transcribe-command.ts'),
  align: () => import('./align-command.ts'),
  package: () => import('./package-command.ts'),
  publish: () => import('./publish-command.ts'),
  compare: () => import('./compare-command.ts'),
  quantize: () => import('./quantize-command.ts'),
  page: () => import('./page-command.ts'),
  graph: () => import('./graph-command.ts'),
}
