// SPDX-License-Identifier: Apache-2.0

/** A model file that cannot be read or edited as asked. `hint` says what to do next. */
export class GraphError extends Error {
  override readonly name = 'GraphError'
  readonly hint: string

  constructor(message: string, hint = '') {
    super(message)
    this.hint = hint
  }
}
