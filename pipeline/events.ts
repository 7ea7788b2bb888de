import type { StageName } from './stages.ts'

/** Everything a run tells the world; one reporter prints it, or `--json` passes it on line by line. */
export type Event =
  | {
      readonly event: 'start'
      readonly model: string
      readonly output: string
      readonly stages: readonly StageName[]
    }
  | { readonly event: 'stage-start'; readonly stage: StageName }
  | { readonly event: 'stage-skip'; readonly stage: StageName; readonly reason: string }
  | { readonly event: 'stage-done'; readonly stage: StageName; readonly seconds: number }
  | {
      readonly event: 'progress'
      readonly what: string
      readonly done: number
      readonly total: number
      readonly unit: string
    }
  | { readonly event: 'note'; readonly text: string }
  | {
      readonly event: 'table'
      readonly title: string
      readonly columns: readonly string[]
      readonly rows: readonly (readonly string[])[]
    }
  | { readonly event: 'failure'; readonly message: string; readonly hint: string; readonly exitCode: number }
  | { readonly event: 'done'; readonly seconds: number; readonly release: string }

export type Emit = (event: Event) => void
