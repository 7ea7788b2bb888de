// SPDX-License-Identifier: Apache-2.0

import { dirname } from 'node:path'
import type { ColumnOptions } from './columns.ts'
import { entryOf } from './entry.ts'
import type { Entries } from './find-entries.ts'
import { type ParquetFile, readRows } from './parquet-file.ts'

/**
 * The rows of a parquet file that only names its recordings, as AudioFolder's metadata.parquet does.
 * @param path of the file; names are relative to its folder
 */
export function parquetEntries(file: ParquetFile, path: string, options: ColumnOptions): Entries {
  const names = file.schema.children.map(({ element }) => element.name)
  return async function* () {
    let number = 0
    for (const group of file.metadata.row_groups.keys()) {
      for (const row of await readRows(file, group, names)) {
        const where = `${path}, row ${++number}`
        yield entryOf(row, { where, folder: dirname(path), options })
      }
    }
  }
}
