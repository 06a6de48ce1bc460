/** Lines that a progress bar writes over and over: each carriage return begins the line anew. */

import { plain } from './ansi'

/** A part of a line, from `start` to `end`. */
export interface Part {
  readonly start: number
  readonly end: number
}

/** What a terminal would show in the end, and how often the line was written before that. */
export function lastUpdate(text: string): Part & { readonly earlier: number } {
  if (text.indexOf('\r') < 0) return { start: 0, end: text.length, earlier: 0 }
  const all = updates(text)
  let shown = all.length - 1
  // Many end by wiping their bar out; what was there last tells more than nothing.
  while (shown > 0 && isBlank(text, all[shown]!)) shown--
  return { ...all[shown]!, earlier: shown }
}

/** All of them, in order, without those that show nothing. */
export function everyUpdate(text: string): Part[] {
  const shown = updates(text).filter((part) => !isBlank(text, part))
  return shown.length ? shown : [{ start: 0, end: 0 }]
}

function updates(text: string): Part[] {
  const found: Part[] = []
  for (let start = 0; start <= text.length; ) {
    const at = text.indexOf('\r', start)
    const end = at < 0 ? text.length : at
    if (end > start) found.push({ start, end })
    start = end + 1
  }
  return found.length ? found : [{ start: 0, end: 0 }]
}

function isBlank(text: string, part: Part): boolean {
  return plain(text.slice(part.start, part.end)).trim() === ''
}
