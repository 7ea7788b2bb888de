// SPDX-License-Identifier: Apache-2.0

/** The model's input: 16 kHz mono. */
export const SAMPLE_RATE = 16000
