// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { expectedTensors } from '../../pipeline/checkpoint/tensor-table.ts'
import { stagePython } from '../helpers/prepared.ts'

/* Model files of other engines: blocks of weights, names and types. */

interface Answer {
  readonly formats: Readonly<Record<string, { bytes: number; worst: number; zero: number; positive: number }>>
  readonly engines: Readonly<
    Record<
      string,
      { count: number; bytes: number; named: Record<string, string[]>; metadata: Record<string, unknown> }
    >
  >
  readonly filters: number
}

const TOWER = 'model.audio_tower.'
const TEXT = 'model.language_model.'
const NAMES: Readonly<Record<string, Readonly<Record<string, readonly [native: string, format: string]>>>> = {
  'transcribe-cpp': {
    'enc.conv.0.weight': [`${TOWER}conv2d1.weight`, 'F32'],
    'enc.conv_out.weight': [`${TOWER}conv_out.weight`, 'Q4_K'],
    'enc.blocks.17.attn.q.weight': [`${TOWER}layers.17.self_attn.q_proj.weight`, 'Q8_0'],
    'enc.blocks.0.ffn.fc2.weight': [`${TOWER}layers.0.fc2.weight`, 'Q4_K'],
    'enc.blocks.0.ffn.fc2.bias': [`${TOWER}layers.0.fc2.bias`, 'F32'],
    'enc.proj2.weight': ['model.multi_modal_projector.linear_2.weight', 'Q8_0'],
    'dec.blocks.27.attn.o.weight': [`${TEXT}layers.27.self_attn.o_proj.weight`, 'Q8_0'],
    'dec.blocks.3.attn.k_norm.weight': [`${TEXT}layers.3.self_attn.k_norm.weight`, 'F32'],
    'dec.blocks.3.ffn.down.weight': [`${TEXT}layers.3.mlp.down_proj.weight`, 'Q4_K'],
    'dec.token_embd.weight': [`${TEXT}embed_tokens.weight`, 'Q6_K'],
  },
  crispasr: {
    'audio.conv.3.weight': [`${TOWER}conv2d3.weight`, 'F16'],
    'audio.ln_post.bias': [`${TOWER}ln_post.bias`, 'F32'],
    'audio.blk.17.attn_out.weight': [`${TOWER}layers.17.self_attn.out_proj.weight`, 'Q8_0'],
    'audio.proj1.weight': ['model.multi_modal_projector.linear_1.weight', 'Q8_0'],
    'blk.27.attn_output.weight': [`${TEXT}layers.27.self_attn.o_proj.weight`, 'Q4_K'],
    'blk.0.ffn_norm.weight': [`${TEXT}layers.0.post_attention_layernorm.weight`, 'F32'],
    'token_embd.weight': [`${TEXT}embed_tokens.weight`, 'Q4_K'],
  },
}

/** Of the published 0.6B. */
const AUDIO = {
  ...{ encoder_layers: 18, d_model: 896, encoder_attention_heads: 14, encoder_ffn_dim: 3584 },
  ...{ downsample_hidden_size: 480, num_mel_bins: 128, n_window: 50, n_window_infer: 800, output_dim: 1024 },
}
const DECODER = {
  ...{ vocab_size: 151936, hidden_size: 1024, intermediate_size: 3072, num_hidden_layers: 28 },
  ...{ num_attention_heads: 16, num_key_value_heads: 8, head_dim: 128 },
  ...{ rms_norm_eps: 1e-6, rope_theta: 1e6, tie_word_embeddings: true },
}

let answer: Answer

beforeAll(async () => {
  const tensors = Object.fromEntries(expectedTensors(AUDIO, DECODER))
  const names = Object.fromEntries(Object.entries(NAMES).map(([name, known]) => [name, Object.keys(known)]))
  const script = join(PROJECT, 'test', 'helpers', 'check_blocks.py')
  const { stdout } = await execa(await stagePython(), [script], {
    input: JSON.stringify({ checkpoint: { audio: AUDIO, text: DECODER, tensors }, names }),
  })
  answer = JSON.parse(stdout)
})

describe('a block of weights', () => {
  // bytes of 512 values, and half a step of the coarsest part as a share of the largest value
  it.each([
    ['Q8_0', 544, 0.005],
    ['Q4_K', 288, 0.07],
    ['Q6_K', 420, 0.02],
  ])('of %s is read back with the error of its bits', (name, bytes, limit) => {
    const { worst, zero, positive, bytes: found } = answer.formats[name] ?? expect.fail(name)
    expect(found).toBe(bytes)
    expect(worst).toBeGreaterThan(limit / 20)
    expect(worst).toBeLessThan(limit)
    expect(positive).toBeLessThan(limit)
    expect(zero).toBe(0)
  })
})

describe('a model file', () => {
  it.each(Object.entries(NAMES))('of %s has every tensor by its name, in its type', (name, known) => {
    const { named, count } = answer.engines[name] ?? expect.fail(name)
    expect(named).toEqual(known)
    expect(count).toBe(611)
  })

  it.each([
    ['transcribe-cpp', 583_483_392],
    ['crispasr', 538_051_136],
  ])('of %s is of the size that its types give', (name, bytes) => {
    expect(answer.engines[name]?.bytes).toBe(bytes)
  })

  it('says the sizes that engines look for', () => {
    expect(answer.engines['transcribe-cpp']?.metadata).toMatchObject({
      'stt.variant': 'qwen3-asr-0.6b',
      'stt.qwen3_asr.encoder.n_window_infer': 800,
      'stt.qwen3_asr.decoder.rope_mrope_section_t': 24,
      'stt.qwen3_asr.decoder.rope_mrope_section_h': 20,
      'stt.qwen3_asr.decoder.rope_mrope_section_w': 20,
      'stt.qwen3_asr.decoder.vocab_size': 151936,
      'stt.frontend.hop_length': 160,
      'tokenizer.ggml.eos_token_id': 2,
      'stt.qwen3_asr.audio_token_id': 5,
      'stt.qwen3_asr.audio_start_token_id': 3,
    })
    expect(answer.engines['crispasr']?.metadata).toMatchObject({
      'qwen3asr.audio.head_dim': 64,
      'qwen3asr.llm.n_kv_heads': 8,
      'qwen3asr.llm.rope_theta': 1e6,
      'qwen3asr.audio_pad_token_id': 5,
      'qwen3asr.eos_token_id': 2,
    })
  })

  it('has the mel filters that the model was trained with', () => {
    expect(answer.filters).toBeLessThan(1e-7)
  })
})
