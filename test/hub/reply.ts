// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto'

/** Bytes of a file on disk, from start to before end. */
export interface FileSlice {
  readonly file: string
  readonly start: number
  readonly end: number
}

/** An answer, before anything went wrong with it. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | FileSlice
}

export function json(value: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-request-id': randomUUID(), ...headers },
    body: JSON.stringify(value),
  }
}

/** The hub's way of saying no. */
export function failure(status: number, message: string, code?: string): Reply {
  const why = code === undefined ? {} : { 'x-error-code': code }
  return json({ error: message }, { ...why, 'x-error-message': message }, status)
}

export function unknownRevision(revision: string): Reply {
  return failure(404, `Invalid rev id: ${revision}`, 'RevisionNotFound')
}

/** S3's way of saying no. */
export function xmlFailure(status: number, code: string, message: string): Reply {
  return {
    status,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  }
}

export function lengthOf(body: Reply['body']): number {
  if (typeof body === 'string') return Buffer.byteLength(body)
  return body instanceof Uint8Array ? body.length : body.end - body.start
}
