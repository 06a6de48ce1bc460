/** Many logs as one: their last lines by time, then every line as it comes. */

import type { LogFeed } from '@/log/feed'
import type { Line } from '@/log/line'
import type { LogReader, Whose } from '@/log/session'
import { Tail } from '@/log/tail'

/** Lines of each log from before. */
const BEFORE = 200
/** Lines kept; when there are more, a block of the oldest goes. */
const KEPT = 12_000
const BLOCK = 2_000

export interface Merged {
  readonly runId: string
  readonly line: Line
  readonly at: string
}

interface Source {
  readonly tail: { current: Tail }
  taken: number
  stop: () => void
}

export class MergedLog {
  readonly lines: Merged[] = []
  /** How many lines went at the beginning. */
  dropped = 0
  private readonly sources = new Map<string, Source>()

  constructor(
    private readonly reader: (whose: Whose) => LogReader,
    private readonly feed: LogFeed,
    private readonly changed: () => void,
    private readonly now: () => string = () => new Date().toISOString(),
  ) {}

  /** Show the logs of these attempts, and no others. */
  async show(all: readonly Whose[]): Promise<void> {
    const wanted = new Set(all.map(keyOf))
    for (const [key, source] of this.sources) {
      if (wanted.has(key)) continue
      source.stop()
      this.sources.delete(key)
    }
    const runs = new Set(all.map(({ runId }) => runId))
    const lines = this.lines.filter(({ runId }) => runs.has(runId))
    this.lines.splice(0, this.lines.length, ...lines)
    const added = all.filter((whose) => !this.sources.has(keyOf(whose)))
    const before = await Promise.all(added.map((whose) => this.add(whose)))
    if (added.length) {
      this.lines.push(...before.flat())
      this.lines.sort((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0))
    }
    this.changed()
  }

  close(): void {
    for (const source of this.sources.values()) source.stop()
    this.sources.clear()
  }

  private async add(whose: Whose): Promise<Merged[]> {
    const source: Source = { tail: { current: new Tail() }, taken: 0, stop: () => {} }
    this.sources.set(keyOf(whose), source)
    try {
      const reader = this.reader(whose)
      const { total } = await reader.lines({ first: 1, last: 1 }, false)
      const window = await reader.lines({ first: Math.max(1, total - BEFORE + 1), last: total + BEFORE }, true)
      if (this.sources.get(keyOf(whose)) !== source) return []
      source.tail.current = Tail.after(window)
      source.taken = source.tail.current.finished
      source.stop = this.listen(whose, source)
      const lines = window.lines.filter(({ number }) => number <= source.taken)
      return lines.map((line) => ({ runId: whose.runId, line, at: line.at ?? '' }))
    } catch {
      // A log that cannot be read is left out of what is merged; its own tab tells why.
      this.sources.delete(keyOf(whose))
      return []
    }
  }

  private listen(whose: Whose, source: Source): () => void {
    const take = () => this.take(whose.runId, source)
    return this.feed.listen(
      { ...whose, offset: source.tail.current.next },
      {
        log: (text, offset, end) => {
          source.tail.current.push(text, offset, end)
          take()
        },
        gap: (offset, end) => source.tail.current.skip({ offset, end }),
        end: () => {
          this.take(whose.runId, source, true)
        },
        state: () => {},
        resumed: () => {},
      },
    )
  }

  private take(runId: string, source: Source, isOver = false): void {
    const tail = source.tail.current
    const last = isOver ? tail.last : tail.finished
    // What went by faster than it could be kept is left out.
    for (let number = Math.max(source.taken + 1, tail.first); number <= last; number++) {
      const line = tail.get(number)
      if (line) this.lines.push({ runId, line, at: this.now() })
    }
    source.taken = Math.max(source.taken, last)
    if (this.lines.length > KEPT) {
      this.lines.splice(0, BLOCK)
      this.dropped += BLOCK
    }
    this.changed()
  }
}

function keyOf({ runId, attempt }: Whose): string {
  return `${runId}/${attempt}`
}
