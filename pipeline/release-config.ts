import { SPECIAL_TOKENS, type Tokenizer } from '../eval/tokenizer.ts'
import type { Checkpoint } from './checkpoint.ts'

/**
 * config.json of a release, with every key that readers require (release contract, section 5).
 * @param quantization graph name to tag
 */
export function releaseConfig(
  checkpoint: Checkpoint,
  tokenizer: Tokenizer,
  quantization: Readonly<Record<string, string>>,
): object {
  const { audio_config: audio, text_config: text } = checkpoint
  const id = tokenizer.idOf
  return {
    model_type: 'qwen3_asr',
    encoder: {
      num_layers: audio.encoder_layers,
      hidden_size: audio.d_model,
      num_heads: audio.encoder_attention_heads,
      ffn_dim: audio.encoder_ffn_dim,
      conv_channels: audio.downsample_hidden_size,
      output_dim: audio.output_dim,
      downsample_factor: 8,
      num_mel_bins: audio.num_mel_bins,
    },
    decoder: {
      num_layers: text.num_hidden_layers,
      hidden_size: text.hidden_size,
      num_attention_heads: text.num_attention_heads,
      num_key_value_heads: text.num_key_value_heads,
      head_dim: text.head_dim,
      intermediate_size: text.intermediate_size,
      vocab_size: text.vocab_size,
      rope_theta: text.rope_theta,
      rms_norm_eps: text.rms_norm_eps,
      tie_word_embeddings: text.tie_word_embeddings,
      rope_scaling: checkpoint.rope_scaling,
    },
    mel: { sample_rate: 16000, n_fft: 400, hop_length: 160, n_mels: audio.num_mel_bins, fmin: 0, fmax: 8000 },
    special_tokens: {
      eos_token_ids: [id(SPECIAL_TOKENS.endOfText), id(SPECIAL_TOKENS.imEnd)],
      pad_token_id: id(SPECIAL_TOKENS.endOfText),
      im_start_token_id: id(SPECIAL_TOKENS.imStart),
      im_end_token_id: id(SPECIAL_TOKENS.imEnd),
      audio_start_token_id: id(SPECIAL_TOKENS.audioStart),
      audio_end_token_id: id(SPECIAL_TOKENS.audioEnd),
      audio_pad_token_id: id(SPECIAL_TOKENS.audioPad),
      asr_text_token_id: id(SPECIAL_TOKENS.asrText),
    },
    embed_tokens_dtype: 'float16',
    embed_tokens_shape: [text.vocab_size, text.hidden_size],
    quantization,
  }
}
