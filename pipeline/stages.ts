import type { StageName } from './stage-names.ts'
import { evaluateStage } from './stages/evaluate.ts'
import { evaluationView } from './stages/evaluation-view.ts'
import { exportStage } from './stages/export.ts'
import { packageStage } from './stages/package.ts'
import { publishStage } from './stages/publish.ts'
import { quantizeStage } from './stages/quantize.ts'
import { rewriteStage } from './stages/rewrite.ts'
import type { Stage, View } from './stages/stage.ts'
import { validateStage } from './stages/validate.ts'

export const VIEWS: Readonly<Partial<Record<StageName, View>>> = { evaluate: evaluationView }

export const STAGES: Readonly<Record<StageName, Stage>> = {
  export: exportStage,
  rewrite: rewriteStage,
  quantize: quantizeStage,
  validate: validateStage,
  evaluate: evaluateStage,
  package: packageStage,
  publish: publishStage,
}
