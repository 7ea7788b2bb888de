// SPDX-License-Identifier: Apache-2.0

import type { StageName } from '../shared/stage-names.ts'
import { evaluateStage } from './evaluate-stage.ts'
import { evaluationView } from './evaluation-view.ts'
import { exportStage } from './export-stage.ts'
import { packageStage } from './package-stage.ts'
import { publishStage } from './publish-stage.ts'
import { quantizeStage } from './quantize-stage.ts'
import { rewriteStage } from './rewrite-stage.ts'
import type { Stage, View } from './stage.ts'
import { validateStage } from './validate-stage.ts'

/** What people look at of a stage's result, by stage. */
export const VIEWS: Readonly<Partial<Record<StageName, View>>> = { evaluate: evaluationView }

/** Every stage by its name; STAGE_NAMES has their order. */
export const STAGES: Readonly<Record<StageName, Stage>> = {
  export: exportStage,
  rewrite: rewriteStage,
  quantize: quantizeStage,
  validate: validateStage,
  evaluate: evaluateStage,
  package: packageStage,
  publish: publishStage,
}
