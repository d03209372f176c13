/** What the comparison uses of packages that bring no types. */

declare module 'hypercore' {
  export default class Hypercore {
    constructor(directory: string)
    readonly length: number
    ready(): Promise<void>
    append(blocks: Buffer | Buffer[]): Promise<unknown>
    get(index: number): Promise<Buffer>
    close(): Promise<void>
  }
}

declare module 'async-append-only-log' {
  interface Sink {
    paused: boolean
    write(record: Buffer): void
    end(error?: Error): void
  }
  interface Log {
    append(records: Buffer | Buffer[], done: (error: Error | null, offset: number) => void): void
    onDrain(done: () => void): void
    get(offset: number, done: (error: Error | null, record: Buffer) => void): void
    stream(options: { offsets: boolean }): { pipe(sink: Sink): void }
    close(done: (error?: Error | null) => void): void
  }
  export default function open(path: string, options: { writeTimeout: number }): Log
}

declare module 'event-storage' {
  class Storage {
    constructor(
      name: string,
      options: {
        dataDirectory: string
        serializer: { serialize(document: string): string; deserialize(text: string): string }
        syncOnFlush: boolean
        writeBufferSize: number
        readBufferSize: number
        indexOptions: { writeBufferSize: number }
      },
    )
    readonly length: number
    open(): boolean
    write(document: string): number
    flush(): boolean
    read(number: number): string | false
    readRange(from: number, until?: number): Iterable<string>
    close(): void
  }
  const eventStorage: { Storage: typeof Storage }
  export default eventStorage
}
