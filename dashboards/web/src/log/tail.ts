/** The last lines of a growing log, made of the pieces as they come. However much comes, little is kept. */

import { LONGEST, type Gap, type Line, type Window } from './line'
import { lastUpdate } from './updates'

/** Lines kept, and their characters in all: more than anyone can look at while they go by. */
const MOST_LINES = 5_000
const MOST_CHARACTERS = 8 << 20

/** Characters at the end of a long line in which its last update is looked for. */
const ENDING = 4_096

class Kept implements Line {
  text = ''
  length = 0
  isCut = false
  private ending = ''

  constructor(
    public number: number,
    readonly offset: number,
  ) {}

  static of(line: Line): Kept {
    const kept = new Kept(line.number, line.offset)
    kept.text = line.text
    kept.length = line.length
    kept.isCut = line.isCut
    kept.ending = line.update === undefined ? '' : `\r${line.update}`
    return kept
  }

  get update(): string | undefined {
    if (!this.ending.includes('\r')) return undefined
    const part = lastUpdate(this.ending)
    return this.ending.slice(part.start, part.end)
  }

  /** Append a part of a text; how many characters more are kept now. */
  add(text: string, start: number, stop: number): number {
    const room = this.isCut ? 0 : LONGEST - this.text.length
    if (stop - start > room) {
      const before = this.isCut ? this.ending : this.text
      this.ending = (before + text.slice(Math.max(start, stop - ENDING), stop)).slice(-ENDING)
      this.isCut = true
    }
    const piece = text.slice(start, Math.min(stop, start + room))
    this.text += piece
    return piece.length
  }
}

export class Tail {
  /** The offset that comes next. */
  next: number
  private kept: Kept[] = []
  /** How many of `kept`, from its beginning, were let go of already. */
  private gone = 0
  private characters = 0
  /** Whether the last line is not ended yet. */
  private isOpen = false
  /** Whether it comes once more from its beginning. */
  private comesAgain = false

  /** Begin with the line `number`, at `offset`. */
  constructor(
    private number = 1,
    offset = 0,
  ) {
    this.next = offset
  }

  /** Begin with the last lines of an answer; lines that come to an end behind it are taken in whole. */
  static after(window: Window): Tail {
    const last = window.lines.at(-1)
    if (!last) return new Tail(window.total + 1, window.size)
    const end = last.offset + last.length
    const tail = new Tail(last.number + 1, window.size)
    tail.kept.push(Kept.of(last))
    tail.characters = last.text.length
    if (last.number < window.total) tail.next = end + 1
    else if (end >= window.size) {
      tail.isOpen = true
      // What the answer shows of it lacks a carriage return at its end, and shows half a character as none.
      tail.comesAgain = !last.isCut
      if (tail.comesAgain) tail.next = last.offset
    }
    return tail
  }

  /** The number of the first line that is kept. */
  get first(): number {
    return this.kept[this.gone]?.number ?? this.number
  }

  /** The number of the last line so far; it may be unfinished. */
  get last(): number {
    return this.number - 1
  }

  /** The number of the last line that has come to its end. */
  get finished(): number {
    return this.isOpen ? this.last - 1 : this.last
  }

  get(number: number): Line | undefined {
    return number < this.first ? undefined : this.kept[this.gone + number - this.first]
  }

  /** Take in the text of the bytes from `offset` to `end`. What came before is left out. */
  push(text: string, offset: number, end: number): void {
    if (end <= this.next) return
    if (this.comesAgain) this.beginAgain()
    if (offset < this.next) {
      const bytes = new TextEncoder().encode(text)
      text = new TextDecoder().decode(bytes.subarray(this.next - offset))
      offset = this.next
    }
    const isAscii = end - offset === text.length
    let at = offset
    for (let start = 0; start < text.length; ) {
      const found = text.indexOf('\n', start)
      const stop = found < 0 ? text.length : found
      const isLast = stop >= text.length - 1
      // Bytes that are no text are shown as other characters, so the last line's length is taken from the end.
      const rest = end - at - (found < 0 ? 0 : 1)
      const bytes = isLast ? rest : isAscii ? stop - start : byteLength(text, start, stop)
      this.add(text, start, stop, at, bytes)
      at += bytes
      if (found >= 0) {
        this.finish()
        at += 1
      }
      start = stop + 1
    }
    this.next = end
    this.letGo()
  }

  /** Go on behind bytes that were dropped; the line that they are in goes on there. */
  skip(gap: Gap): void {
    if (gap.end <= this.next) return
    if (!this.isOpen) this.begin(gap.offset)
    const line = this.kept.at(-1)!
    line.isCut = true
    line.length += gap.end - gap.offset
    this.next = gap.end
  }

  /** The server counts lines anew where a part of the log was dropped: it had `total` when it had `size` bytes. */
  renumber(total: number, size: number): void {
    let last: Kept | undefined
    for (let at = this.kept.length - 1; at >= this.gone && !last; at--) {
      if (this.kept[at]!.offset < size) last = this.kept[at]
    }
    if (!last) return
    const by = total - last.number
    if (!by) return
    for (let at = this.gone; at < this.kept.length; at++) this.kept[at]!.number += by
    this.number += by
  }

  private beginAgain(): void {
    const line = this.kept.at(-1)!
    this.characters -= line.text.length
    line.text = ''
    line.length = 0
    this.comesAgain = false
  }

  private begin(offset: number): void {
    this.kept.push(new Kept(this.number++, offset))
    this.isOpen = true
  }

  private add(text: string, start: number, stop: number, offset: number, bytes: number): void {
    if (!this.isOpen) this.begin(offset)
    const line = this.kept.at(-1)!
    line.length += bytes
    this.characters += line.add(text, start, stop)
  }

  private finish(): void {
    const line = this.kept.at(-1)!
    if (!line.isCut && line.text.endsWith('\r')) line.text = line.text.slice(0, -1)
    this.isOpen = false
  }

  private letGo(): void {
    while (this.kept.length - this.gone > MOST_LINES || this.characters > MOST_CHARACTERS) {
      if (this.kept.length - this.gone <= 1) break
      this.characters -= this.kept[this.gone]!.text.length
      this.gone++
    }
    if (this.gone > MOST_LINES) {
      this.kept = this.kept.slice(this.gone)
      this.gone = 0
    }
  }
}

/** How many bytes of UTF-8 a part of a text has. */
export function byteLength(text: string, start = 0, stop = text.length): number {
  let bytes = 0
  for (let at = start; at < stop; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x80) bytes += 1
    else if (code < 0x800) bytes += 2
    else if (code >= 0xd800 && code < 0xdc00) {
      bytes += 4
      at++
    } else bytes += 3
  }
  return bytes
}
