/** Seconds spent in each part. */
export interface Timing {
  readonly mel: number
  readonly encoder: number
  readonly prefill: number
  readonly decode: number
}
