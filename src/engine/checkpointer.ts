import { storageError } from '../errors.ts'
import type { Checkpoint, CheckpointFiles } from '../storage/checkpoint.ts'

/** So many bytes may become durable before the checkpoint follows: what a recovery reads at most, roughly. */
const CHECKPOINT_INTERVAL_BYTES = 16 * 1024 * 1024

/** Writes the directory's checkpoint, one at a time; requests that come during a write share the next one. */
export class Checkpointer {
  private running: Promise<void> | null = null
  private next: Promise<void> | null = null
  private background: Promise<void> | null = null
  private bytesSince = 0

  /**
   * @param snapshot    what to write, taken when a write begins
   * @param writeIndexes brings the index files up to date, so that a recovery has little to repair
   */
  constructor(
    private readonly files: CheckpointFiles,
    private readonly directory: string,
    private readonly snapshot: () => Checkpoint,
    private readonly writeIndexes: () => Promise<void>,
  ) {}

  /** Resolves when everything that is true now survives a power cut. */
  store(): Promise<void> {
    // one that has ended is followed by the one that waits for it, also before that has noticed
    if (this.running === null && this.next === null) return this.start()
    this.next ??= this.running!.catch(() => {}).then(() => {
      this.next = null
      return this.start()
    })
    return this.next
  }

  /** Counts bytes that became durable and stores a checkpoint when there are many. */
  synced(bytes: number): void {
    this.bytesSince += bytes
    if (this.bytesSince < CHECKPOINT_INTERVAL_BYTES) return
    this.bytesSince = 0
    this.background ??= this.writeIndexes()
      .then(() => this.store())
      .catch(noHarm)
      .finally(() => {
        this.background = null
      })
  }

  /** Stores what is true now where that is of use, but nothing depends on it: resolves also when it fails. */
  async tryToStore(): Promise<void> {
    await this.store().catch(noHarm)
  }

  /** Resolves when no write is under way. */
  async idle(): Promise<void> {
    await this.background
    for (let last = this.next ?? this.running; last !== null; last = this.next ?? this.running)
      await last.catch(() => {})
  }

  private start(): Promise<void> {
    const writing = this.write().finally(() => {
      this.running = null
    })
    this.running = writing
    return writing
  }

  private async write(): Promise<void> {
    try {
      await this.files.store(this.snapshot())
    } catch (error) {
      throw storageError(error, `write the checkpoint of '${this.directory}'`, { path: this.directory })
    }
  }
}

/** A checkpoint that lags costs recovery time, nothing else; one that is needed is stored, and fails, elsewhere. */
const noHarm = (): void => {}
