const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const BYTE_ORDER_MARK = Buffer.from('\uFEFF')

/**
 * Cuts a stream of bytes into lines at \n and \r\n, and nowhere else: JSON strings may hold every other separator that
 * `node:readline` cuts at. A byte order mark in front is left out. What follows the last \n is a line unless it is empty.
 */
export class LineSplitter {
  private started = false
  private readonly parts: Buffer[] = []
  private partBytes = 0

  /** Bytes of the line that has begun and not ended yet. */
  get pendingBytes(): number {
    return this.partBytes
  }

  /** The lines that end in this chunk, as views on it where they can be. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.complete(chunk.subarray(start, end)))
      start = end + 1
    }
    if (start < chunk.length) {
      this.parts.push(chunk.subarray(start))
      this.partBytes += chunk.length - start
    }
    return lines
  }

  /** The line after the last \n, if there is one. */
  end(): Buffer[] {
    return this.partBytes === 0 ? [] : [this.complete(Buffer.alloc(0))]
  }

  private complete(last: Buffer): Buffer {
    let line = last
    if (this.parts.length > 0) {
      line = Buffer.concat([...this.parts, last])
      this.parts.length = 0
      this.partBytes = 0
    }
    if (!this.started) {
      this.started = true
      if (line.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) line = line.subarray(BYTE_ORDER_MARK.length)
    }
    return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line
  }
}
