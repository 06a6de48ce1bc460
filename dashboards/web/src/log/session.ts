/** One attempt's log while somebody looks at it: opened at its end, kept up to date, and read where it is needed. */

import { CallError } from '@/api/problem'
import type { Run } from '@/client'
import type { FeedState, LogFeed } from './feed'
import type { Window } from './line'
import { LineStore, WINDOW, type Range } from './store'

/** Lines read when a log is opened. */
const FIRST = 400
/** Requests for lines at once. */
const MOST_REQUESTS = 3
/** A log that grew by more than this while nobody read it is opened anew at its end. */
const MUCH = 4 << 20

export interface LogReader {
  lines(range: Range, withTimes: boolean): Promise<Window>
}

export interface Whose {
  readonly runId: string
  readonly attempt: number
}

export class LogSession {
  readonly store = new LineStore()
  phase: 'loading' | 'ready' | 'failed' = 'loading'
  error: unknown
  feedState: FeedState = 'connecting'
  hasEnded = false
  /** The run as it was when this attempt ended. */
  run: Run | undefined
  private stop: (() => void) | undefined
  private readonly asked = new Set<string>()
  private retryAt = 0
  private isClosed = false

  constructor(
    private readonly reader: LogReader,
    private readonly feed: LogFeed,
    private readonly whose: Whose,
    private readonly changed: () => void,
  ) {}

  /** Read where the log stands, then follow it. Also to try once more after an error. */
  async open(): Promise<void> {
    this.phase = 'loading'
    this.changed()
    try {
      await this.begin()
      this.phase = 'ready'
      this.listen()
    } catch (error) {
      this.phase = 'failed'
      this.error = error
    }
    if (!this.isClosed) this.changed()
  }

  close(): void {
    this.isClosed = true
    this.stop?.()
  }

  /** See that these lines become known. */
  need(range: Range, withTimes: boolean): void {
    if (this.phase !== 'ready' || Date.now() < this.retryAt) return
    for (const missing of this.store.missing(range, withTimes)) {
      const key = `${missing.first}-${missing.last}/${withTimes}`
      if (this.asked.has(key)) continue
      if (this.asked.size >= MOST_REQUESTS) return
      this.asked.add(key)
      void this.fetch(missing, withTimes).finally(() => {
        this.asked.delete(key)
        this.changed()
      })
    }
  }

  private async fetch(range: Range, withTimes: boolean): Promise<void> {
    try {
      const { edition } = this.store
      const window = await this.reader.lines(range, withTimes)
      // Lines that got other numbers meanwhile are asked for again.
      if (edition === this.store.edition) this.store.put(window)
    } catch (error) {
      // Rows wait where they are; what comes of the connection is told by the feed.
      this.retryAt = Date.now() + 1_000
      setTimeout(this.changed, 1_000)
      if (error instanceof CallError && !error.isOffline) this.error = error
    }
  }

  private async begin(): Promise<void> {
    const { total } = await this.reader.lines({ first: 1, last: 1 }, false)
    const first = Math.max(1, total - FIRST + 1)
    this.store.begin(await this.reader.lines({ first, last: total + WINDOW }, false))
  }

  private listen(): void {
    if (this.isClosed) return
    this.stop?.()
    this.stop = this.feed.listen(
      { ...this.whose, offset: this.store.next },
      {
        log: (text, offset, end) => {
          this.store.push(text, offset, end)
          this.changed()
        },
        gap: (offset, end) => {
          this.store.skip({ offset, end })
          this.changed()
        },
        end: (run) => {
          this.hasEnded = true
          this.run = run as Run | undefined
          this.changed()
        },
        state: (state) => {
          this.feedState = state
          this.changed()
        },
        resumed: () => void this.resume(),
      },
    )
  }

  private async resume(): Promise<void> {
    if (this.hasEnded) return
    try {
      const { size } = await this.reader.lines({ first: 1, last: 1 }, false)
      if (size - this.store.next < MUCH) return
      this.stop?.()
      await this.begin()
      this.listen()
      this.changed()
    } catch {
      // The feed tells of the connection, and reads on from where it was.
      this.listen()
    }
  }
}
