import type { MaybePromise, Peer } from './peer.ts'

type Loader = () => Promise<{ load(varveUrl: string): MaybePromise<Peer> }>

/** How to load each peer, by the name of its package. Ours comes first. */
export const PEERS: Record<string, Loader> = {
  varve: () => import('./peers/varve.ts'),
  'better-sqlite3': () => import('./peers/better-sqlite3.ts'),
  lmdb: () => import('./peers/lmdb.ts'),
  'classic-level': () => import('./peers/classic-level.ts'),
  hypercore: () => import('./peers/hypercore.ts'),
  'async-append-only-log': () => import('./peers/async-append-only-log.ts'),
  'event-storage': () => import('./peers/event-storage.ts'),
}

/** The name of ours. */
export const OURS = 'varve'
