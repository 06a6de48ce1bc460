/** Any line of a log at once: windows of it as they were asked for, and its growing end. */

import { isSameGap, type Gap, type Line, type Window } from './line'
import { Tail } from './tail'

/** Lines asked for at once. */
export const WINDOW = 400
/** Windows kept, and their characters in all; those looked at last. */
const MOST_WINDOWS = 40
const MOST_CHARACTERS = 24 << 20

/** Lines `first` to `last`. */
export interface Range {
  readonly first: number
  readonly last: number
}

interface Slot {
  readonly lines: (Line | undefined)[]
  readonly times: (string | undefined)[]
  characters: number
}

export class LineStore {
  gap: Gap | null = null
  /** Rises whenever lines that were known got other numbers. */
  edition = 0
  private windows = new Map<number, Slot>()
  private characters = 0
  private tail = new Tail()

  /** Lines so far. */
  get total(): number {
    return this.tail.last
  }

  /** The offset from which on the log has to be streamed. */
  get next(): number {
    return this.tail.next
  }

  get(number: number): Line | undefined {
    return this.tail.get(number) ?? this.slot(number)?.lines[(number - 1) % WINDOW]
  }

  /** The line with its time, if that is known. */
  timeOf(number: number): string | undefined {
    return this.slot(number)?.times[(number - 1) % WINDOW]
  }

  /** What has to be asked for to show these lines; with their times, also of the newest. */
  missing(range: Range, withTimes = false): Range[] {
    const found: Range[] = []
    const last = Math.min(range.last, this.total)
    for (let number = Math.max(1, range.first); number <= last; number++) {
      const isThere = withTimes ? this.timeOf(number) !== undefined : this.get(number) !== undefined
      if (isThere) continue
      const end = Math.min((Math.floor((number - 1) / WINDOW) + 1) * WINDOW, this.total)
      const start = Math.floor((number - 1) / WINDOW) * WINDOW + 1
      // Of a window that is there in part, only the rest: the end of the log grows, and long lines come one by one.
      found.push({ first: this.slot(number) ? number : start, last: end })
      number = end
    }
    return found
  }

  /** Begin where the log stands now; the last of its lines are `lines`. */
  begin(window: Window): void {
    this.tail = Tail.after(window)
    this.gap = window.gap
    this.edition++
    this.forget()
    this.keep(window)
  }

  /** Take in an answer. */
  put(window: Window): void {
    if (!isSameGap(window.gap, this.gap)) {
      this.gap = window.gap
      this.forget()
      this.tail.renumber(window.total, window.size)
      this.edition++
    }
    this.keep(window)
  }

  push(text: string, offset: number, end: number): void {
    this.tail.push(text, offset, end)
  }

  skip(gap: Gap): void {
    this.tail.skip(gap)
  }

  private keep(window: Window): void {
    for (const line of window.lines) {
      const slot = this.open(Math.floor((line.number - 1) / WINDOW))
      const at = (line.number - 1) % WINDOW
      if (line.at) slot.times[at] = line.at
      // The last line may be unfinished; the tail has it.
      if (line.number >= window.total && this.tail.get(line.number)) continue
      const before = slot.lines[at]?.text.length ?? 0
      slot.lines[at] = line
      slot.characters += line.text.length - before
      this.characters += line.text.length - before
    }
    this.letGo()
  }

  private slot(number: number): Slot | undefined {
    return this.windows.get(Math.floor((number - 1) / WINDOW))
  }

  private open(index: number): Slot {
    const slot = this.windows.get(index) ?? { lines: [], times: [], characters: 0 }
    this.windows.delete(index)
    this.windows.set(index, slot)
    return slot
  }

  private letGo(): void {
    for (const [index, slot] of this.windows) {
      if (this.windows.size <= MOST_WINDOWS && this.characters <= MOST_CHARACTERS) return
      if (this.windows.size === 1) return
      this.windows.delete(index)
      this.characters -= slot.characters
    }
  }

  private forget(): void {
    this.windows.clear()
    this.characters = 0
  }
}
