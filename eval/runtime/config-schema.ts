// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import {
  about,
  count,
  dictionary,
  exactly,
  number as figure,
  list,
  type Parsed,
  positive,
  problemsOf,
  record,
  shape,
  text,
  truth,
  type WrongValue,
  whole,
  wrongValue,
} from './schema.ts'

/*
 * config.json of a release: what the exporter writes, readers read, and a release is checked for. Keys that a schema does
 * not name are let pass: other programs and newer releases have more.
 */

/* Limits far above every model: a size beyond them is an error in the file, not a request for memory. */

/** How many layers a part of a model has. */
export const layerCount = whole(1, 1000)
/** A width, or a number of heads or channels. */
export const size = whole(1, 1 << 20)
/** How many token ids a model has. */
export const vocabularySize = whole(1, 1 << 24)
/** The id of a token. */
export const tokenId = whole(0, 1 << 24)

const constant = (value: number) => whole(value, value)

const ENCODER = {
  num_layers: about('Transformer layers.', layerCount),
  hidden_size: about('Width of a layer.', size),
  num_heads: about('Attention heads.', size),
  ffn_dim: about('Width of the feed-forward network.', size),
  conv_channels: about('Channels of the three convolutions in front.', size),
  output_dim: about('Width of the audio features: `decoder.hidden_size`.', size),
  downsample_factor: about('Mel frames for one position after the convolutions.', constant(8)),
  num_mel_bins: about('Mel bins of the input `mel`.', constant(128)),
  window_frames: v.exactOptional(
    about(
      'Mel frames that attend to each other. The encoder may run on parts of so many, one after the other: the features are the same to the bit, and memory does not grow with the recording.',
      whole(100, 1 << 20),
    ),
  ),
}

const PORT = shape({
  type: about('Type of the elements.', v.picklist(['float32', 'int64'], '"float32" or "int64"')),
  shape: about(
    'Sizes: a number, or the letter of one that varies.',
    list(v.union([text, whole(1, 1 << 24)], 'a number or a letter')),
  ),
  about: about('What it holds.', text),
})

const FUSED = shape({
  graphs: about('Files of the fused graph, one for each variant.', list(text)),
  about: about('How the graph works, in words.', text),
  inputs: about('Inputs by name; `{i}` counts the layers from 0.', record(PORT)),
  outputs: about('Outputs by name.', record(PORT)),
  prompt: about('What to do for a prompt, in order.', list(text)),
  step: about('What to do for each further token, in order.', list(text)),
  quicker_prompts: v.exactOptional(
    about('Files that say how prompts run with 8-bit products; each names its graph.', list(text)),
  ),
})

/** The output with which words have times. */
export const ALIGNMENT = shape({
  heads: about(
    'Heads whose mean attention is the output `alignment` of the fused graph, `[layer, head]` from 0, the best first.',
    list(v.strictTuple([whole(0, 1 << 10), whole(0, 1 << 10)], 'an array of a layer and a head')),
  ),
  detected: v.exactOptional(
    about(
      'How they were found, on speech whose words have known times. Missing where published ones were taken.',
      shape({
        hits: about('Share of tokens at which the first head attends to their word.', figure),
        tokens: about('Tokens that were compared.', count),
        error_ms: about('Mean error of the edges of words, in milliseconds.', figure),
        edges: about('Edges of words that were compared.', count),
      }),
    ),
  ),
})

const DECODER = {
  num_layers: about("Transformer layers: the first size of the split graphs' caches.", layerCount),
  hidden_size: about('Width of a layer and of a row of the embedding table.', size),
  num_attention_heads: about('Query heads.', size),
  num_key_value_heads: about('Key and value heads, which the caches hold.', size),
  head_dim: about('Width of a head.', size),
  intermediate_size: about('Width of the feed-forward network.', size),
  vocab_size: about('Token ids: the last size of `logits`.', vocabularySize),
  rope_theta: about('Base of the rotary position embedding.', positive()),
  rms_norm_eps: about('Epsilon of RMSNorm.', positive(1)),
  tie_word_embeddings: about('Whether the output layer is the embedding table.', truth),
  rope_scaling: about(
    'How the checkpoint splits rotary dimensions. Audio has one position axis, so it changes no result.',
    shape({
      mrope_section: about('Three counts whose sum is half of `head_dim`.', list(whole(0, 1 << 20))),
      interleaved: about('Whether the three parts alternate.', truth),
    }),
  ),
  alignment: v.exactOptional(
    about('Which attention shows when words are said. Missing where the graphs do not give it.', ALIGNMENT),
  ),
  fused: v.exactOptional(
    about('How to run the fused layout. Missing where only the split layout is.', FUSED),
  ),
}

const ALIGNER = {
  classes: about('Classes of a slot: the last size of `logits`.', whole(2, 1 << 20)),
  segment_ms: about('Class c is the time c x `segment_ms`, in milliseconds.', positive(10_000)),
  timestamp_token_id: about('Id of `<timestamp>`, the token of a slot.', tokenId),
  languages: about('English names of the languages that it was trained for.', list(text)),
  max_seconds: about(
    'Seconds of audio that one run takes at most; a longer recording is cut, and its text with it.',
    positive(100_000),
  ),
}

const ALIGNER_USE = {
  about: about('How the graph works, in words.', text),
  inputs: about('Inputs by name.', record(PORT)),
  outputs: about('Outputs by name.', record(PORT)),
  use: about('What to do, in order.', list(text)),
  graphs: about('Files of the graph, one for each variant.', list(text)),
  quicker_prompts: v.exactOptional(
    about('Files that say how the graph runs with 8-bit products; each names its graph.', list(text)),
  ),
}

const SPECIAL_IDS = {
  eos_token_ids: about(
    'Ids that end a text: `<|endoftext|>` and `<|im_end|>`.',
    v.pipe(list(tokenId), v.minLength(1, 'an array of ids')),
  ),
  pad_token_id: about('Id of `<|endoftext|>`.', tokenId),
  im_start_token_id: about('Id of `<|im_start|>`.', tokenId),
  im_end_token_id: about('Id of `<|im_end|>`.', tokenId),
  audio_start_token_id: about('Id of `<|audio_start|>`.', tokenId),
  audio_end_token_id: about('Id of `<|audio_end|>`.', tokenId),
  audio_pad_token_id: about('Id of `<|audio_pad|>`, whose embeddings the audio features replace.', tokenId),
  asr_text_token_id: about('Id of `<asr_text>`, which the transcript follows.', tokenId),
}

const EMBEDDED = {
  embed_tokens_dtype: about(
    'Type of `embed_tokens.bin`. Readers take a missing key as float32.',
    exactly('float16'),
  ),
  embed_tokens_shape: about(
    '`[vocab_size, hidden_size]` of `embed_tokens.bin`, which is row-major.',
    v.strictTuple([vocabularySize, size], 'an array of two sizes'),
  ),
}

const QUANTIZED_TABLES = about(
  'Variants whose quantized output layer is the embedding table too: the file that says where its rows are. They never need `embed_tokens.bin`, and have the fused layout alone.',
  dictionary(text),
)

const MEL = {
  sample_rate: about('Samples a second, mono.', constant(16_000)),
  n_fft: about('Samples of a window.', constant(400)),
  hop_length: about('Samples from one window to the next.', constant(160)),
  n_mels: about('Mel bins, Slaney scale.', constant(128)),
  fmin: about('Lowest frequency in Hz.', constant(0)),
  fmax: about('Highest frequency in Hz.', constant(8000)),
}

const MODEL_TYPE = about('The kind of model.', exactly('qwen3_asr'))
const QUANTIZATION = about(
  'How the weights of each graph are stored, by the name of its file without `.onnx`.',
  dictionary(text),
)

/** The whole of config.json, in the order in which it is written. */
export const RELEASE_CONFIG = shape({
  model_type: MODEL_TYPE,
  encoder: about('Sizes of `encoder.onnx`.', shape(ENCODER)),
  decoder: about('Sizes of the decoder graphs, or of the forced aligner.', shape(DECODER)),
  aligner: v.exactOptional(
    about(
      'Of a forced aligner: what its slots mean, and how to run it.',
      shape({ ...ALIGNER, ...ALIGNER_USE }),
    ),
  ),
  mel: about('How the mel spectrogram is computed.', shape(MEL)),
  special_tokens: about('Token ids of `tokenizer.json`.', shape(SPECIAL_IDS)),
  ...EMBEDDED,
  embed_tokens_quantized: v.exactOptional(QUANTIZED_TABLES),
  quantization: QUANTIZATION,
})

/** config.json as the exporter writes it. */
export type ReleaseConfigFile = Parsed<typeof RELEASE_CONFIG>

const { hidden_size, num_layers, num_key_value_heads, head_dim } = DECODER

/** What the runtime relies on: releases of older exporters have these keys too. */
export const READER_CONFIG = shape({
  model_type: MODEL_TYPE,
  encoder: v.exactOptional(shape({ window_frames: ENCODER.window_frames })),
  decoder: shape({ hidden_size, num_layers, num_key_value_heads, head_dim }),
  special_tokens: shape({ eos_token_ids: SPECIAL_IDS.eos_token_ids }),
  aligner: v.exactOptional(shape(ALIGNER)),
  ...EMBEDDED,
  quantization: v.exactOptional(QUANTIZATION),
})

const FILE = 'config.json'

/** Where keys that the runtime relies on contradict each other, a sentence each. */
export function contradictions(config: Parsed<typeof READER_CONFIG>, file = FILE): string[] {
  const { decoder, special_tokens: special, embed_tokens_shape: shape } = config
  const [rows, width] = shape
  const problems: Omit<WrongValue, 'file'>[] = []
  if (width !== decoder.hidden_size) {
    const wanted = `[..., decoder.hidden_size], which is ${decoder.hidden_size}`
    problems.push({ key: 'embed_tokens_shape', found: shape, wanted })
  }
  if (special.eos_token_ids.some((id) => id >= rows)) {
    const wanted = `ids below ${rows}, the size of the vocabulary`
    problems.push({ key: 'special_tokens.eos_token_ids', found: special.eos_token_ids, wanted })
  }
  return problems.map((problem) => wrongValue({ file, ...problem }))
}

/** Everything in config.json that breaks the release contract, a sentence for each key. */
export function configProblems(value: unknown): string[] {
  const whole = v.safeParse(RELEASE_CONFIG, value)
  const read = v.safeParse(READER_CONFIG, value)
  return [
    ...problemsOf(RELEASE_CONFIG, value, { file: FILE }),
    ...(read.success ? contradictions(read.output) : []),
    ...(whole.success ? wrongSizes(whole.output) : []),
  ]
}

/** Sizes that stand twice. */
function wrongSizes({ encoder, decoder, embed_tokens_shape: [rows] }: ReleaseConfigFile): string[] {
  const twice = [
    ['encoder.output_dim', encoder.output_dim, 'decoder.hidden_size', decoder.hidden_size],
    ['decoder.vocab_size', decoder.vocab_size, 'embed_tokens_shape.0', rows],
  ] as const
  return twice
    .filter(([, found, , other]) => found !== other)
    .map(([key, found, name, other]) =>
      wrongValue({ file: FILE, key, found, wanted: `${name}, which is ${other}` }),
    )
}
