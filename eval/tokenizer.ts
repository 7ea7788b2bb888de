import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers'
import { quietly } from './quietly.ts'
import { SpeechError } from './speech-error.ts'

/** Token strings that every Qwen3-ASR tokenizer must know. */
export const SPECIAL_TOKENS = {
  endOfText: '<|endoftext|>',
  imStart: '<|im_start|>',
  imEnd: '<|im_end|>',
  audioStart: '<|audio_start|>',
  audioEnd: '<|audio_end|>',
  audioPad: '<|audio_pad|>',
  asrText: '<asr_text>',
} as const

export interface Tokenizer {
  encode(text: string): number[]
  /** Text of the ids, special tokens left out (`<asr_text>` is not one of them). */
  decode(ids: readonly number[]): string
  idOf(token: string): number
}

/**
 * @param tokenizerJson parsed tokenizer.json
 * @param tokenizerConfig parsed tokenizer_config.json
 * @throws SpeechError when they are malformed, or a token that the prompt needs is missing
 */
export function makeTokenizer(tokenizerJson: object, tokenizerConfig: object): Tokenizer {
  const inner = load(tokenizerJson, tokenizerConfig)
  const idOf = (token: string): number => {
    const id = inner.token_to_id(token)
    if (id === undefined)
      throw new SpeechError(`The tokenizer has no token ${token}.`, 'Use the files of one checkpoint.')
    return id
  }
  for (const token of Object.values(SPECIAL_TOKENS)) idOf(token)
  return {
    idOf,
    encode: (text) => (text === '' ? [] : inner.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) => (ids.length === 0 ? '' : inner.decode([...ids], { skip_special_tokens: true })),
  }
}

/** The library's own messages say what happened inside of it. */
function load(tokenizerJson: object, tokenizerConfig: object): HfTokenizer {
  try {
    return quietly(() => new HfTokenizer(tokenizerJson, tokenizerConfig))
  } catch {
    throw new SpeechError(
      'tokenizer.json or tokenizer_config.json is malformed: no tokenizer can be made of them.',
      'Use the files of one checkpoint.',
    )
  }
}
