/** The model's input: 16 kHz mono. */
export const SAMPLE_RATE = 16000
