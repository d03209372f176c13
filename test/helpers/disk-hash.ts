import { createHash, type Hash } from 'node:crypto'
import type { MemoryStorage } from '../../src/storage/memory-storage.ts'

/** Tells disks apart by the names and bytes on them. */
export async function hashOf(disk: MemoryStorage): Promise<string> {
  const hash = createHash('md5')
  await addDirectory(disk, '', hash)
  return hash.digest('base64')
}

async function addDirectory(disk: MemoryStorage, path: string, hash: Hash): Promise<void> {
  for (const { name, kind } of await disk.list(path === '' ? '/' : path)) {
    const child = `${path}/${name}`
    hash.update(`${kind} ${child}\n`)
    if (kind === 'directory') await addDirectory(disk, child, hash)
    else {
      const content = await disk.readFile(child)
      hash.update(`${content.length}\n`).update(content)
    }
  }
}
