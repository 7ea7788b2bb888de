// SPDX-License-Identifier: Apache-2.0

/** An input or output of a graph, as config.json describes it. */
export function port(type: 'float32' | 'int64', shape: readonly (string | number)[], about: string) {
  return { type, shape, about }
}
