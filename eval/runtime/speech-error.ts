// SPDX-License-Identifier: Apache-2.0

/** Input that cannot be measured as asked. `hint` says what to do next. */
export class SpeechError extends Error {
  override readonly name = 'SpeechError'
  readonly hint: string

  constructor(message: string, hint = '') {
    super(message)
    this.hint = hint
  }
}
