/** Input that cannot be measured as asked. `hint` says what to do next. */
export class EvalError extends Error {
  override readonly name = 'EvalError'
  readonly hint: string

  constructor(message: string, hint = '') {
    super(message)
    this.hint = hint
  }
}
