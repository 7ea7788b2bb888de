// SPDX-License-Identifier: Apache-2.0

/**
 * The task under which the hub lists a release. It has none for forced alignment; that of the checkpoint's own repository
 * is where people look for either.
 * @see https://huggingface.co/tasks
 */
export const TASK = 'automatic-speech-recognition'
