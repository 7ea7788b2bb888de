import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { argmax } from '../../eval/runtime/decoder.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import { buildPrompt } from '../../eval/runtime/prompt.ts'
import {
  audioTokens,
  encode,
  loadRecognizer,
  type Recognizer,
  releaseRecognizer,
} from '../../eval/runtime/recognizer.ts'
import { CALIBRATION_SPEECH } from '../../pipeline/models.ts'

/** Clips of the bundled calibration speech as python/quantize/calibration.py reads them, with FP32's own answers. */
export async function writeCalibration(model: string, folder: string, count: number): Promise<void> {
  await mkdir(join(folder, 'clips'), { recursive: true })
  const lines = (await readFile(join(CALIBRATION_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
  const recognizer = await loadRecognizer(model, { variant: 'fp32', threads: 1 })
  const clips: object[] = []
  for (const line of lines.slice(0, count)) {
    const { id, file } = JSON.parse(line) as { id: string; file: string }
    const { samples } = await loadClip(join(CALIBRATION_SPEECH, file))
    clips.push({
      id,
      sha256: createHash('sha256').update(samples).digest('hex'),
      ...(await answer(recognizer, samples, folder, id)),
    })
  }
  await releaseRecognizer(recognizer)
  await writeFile(join(folder, 'index.json'), JSON.stringify({ format: 1, key: 'test', clips }))
}

async function answer(
  recognizer: Recognizer,
  samples: Float32Array,
  folder: string,
  id: string,
): Promise<object> {
  const { decoder, config, tokenizer } = recognizer
  const features = await encode(recognizer, logMel(samples))
  const prompt = buildPrompt(tokenizer, audioTokens(recognizer, features))
  const tokens = [argmax(await decoder.prefill([{ prompt, features }]))]
  while (!config.endIds.includes(tokens.at(-1) ?? 0))
    tokens.push(argmax(await decoder.step([tokens.at(-1) ?? 0])))
  decoder.clear()
  const file = `clips/${id}.features.f32`
  await writeFile(
    join(folder, file),
    new Uint8Array(features.buffer, features.byteOffset, features.byteLength),
  )
  const shape = [features.length / config.hiddenSize, config.hiddenSize]
  return { prompt_ids: prompt.ids, audio_offset: prompt.audioOffset, tokens, features: { file, shape } }
}
