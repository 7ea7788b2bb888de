// SPDX-License-Identifier: Apache-2.0

/** What `npm run package` was given to make a release. */
export interface PackageOptions {
  readonly command: 'package'
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  /** undefined: those that the model directory was made with */
  readonly variants?: readonly string[]
  /** folders of `npm run evaluate` with figures of these very files */
  readonly evaluations: readonly string[]
  readonly allowUngated: boolean
  /** gzip's */
  readonly level?: number
  readonly threads: number
}

/** What `npm run package -- verify` was given. */
export interface VerifyCommandOptions {
  readonly command: 'verify'
  /** an archive or a folder; undefined with fromHub */
  readonly target?: string
  /** owner/name[@revision] */
  readonly fromHub?: string
  /** a local release to compare with */
  readonly against?: string
  readonly manifest?: string
  readonly variants?: readonly string[]
  /** where a download or an unpacked archive stays; a temporary folder by default */
  readonly keep?: string
  readonly threads: number
}
