/** What of a line counts when logs are compared: what a terminal shows in the end, without what differs each time. */
import { plain } from '@/log/ansi'
import { lastUpdate } from '@/log/updates'

/** What is left out of account. */
export interface Ignored {
  times: boolean
  numbers: boolean
}

/** Characters of a line that are compared and shown. */
export const LONGEST = 2_000

const DATE = '\\d{4}[-/]\\d{1,2}[-/]\\d{1,2}'
const CLOCK = '\\d{1,2}:\\d{2}(?::\\d{2})?(?:[.,]\\d+)?'
/** A date with or without a time of day, or that alone; then how long something took, as "0.4 s" or "12ms". */
const TIMES = new RegExp(`${DATE}(?:[T ]${CLOCK}(?:Z|[+-]\\d{2}:?\\d{2})?)?|(?<![\\d.])${CLOCK}|(?<![\\w.])\\d+(?:\\.\\d+)?\\s?(?:ms|us|µs|s|sec|secs|seconds|min|h)\\b`, 'g')
const NUMBERS = /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** Returns a line as it is shown: the last update of a progress bar, without colours. */
export function shownText(line: string): string {
  const { start, end } = lastUpdate(line)
  return plain(line.slice(start, end)).trimEnd().slice(0, LONGEST)
}

/** Returns what two lines have to agree in to be the same. */
export function comparedText(shown: string, { times, numbers }: Ignored): string {
  const timeless = times ? shown.replace(TIMES, '\u0001') : shown
  return numbers ? timeless.replace(NUMBERS, '\u0002') : timeless
}
