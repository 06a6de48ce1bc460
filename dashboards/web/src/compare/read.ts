/** The beginning of a log, in bounded memory. */
import { logUrl } from '@/log/api'
import { asCallError } from '@/api/problem'
import { shownText } from './text'

/** So much of each log is compared: the browser holds both, and nobody reads more differences. */
export const MOST_LINES = 20_000
export const MOST_BYTES = 4 * 2 ** 20

export interface Beginning {
  lines: string[]
  /** Whether the log goes on behind them. */
  isCut: boolean
}

/** Reads the first lines of a log. Throws CallError. */
export async function readBeginning(runId: string, attempt: number, signal: AbortSignal): Promise<Beginning> {
  let response: Response
  try {
    response = await fetch(`${logUrl({ runId, attempt })}&offset=0&limit=${MOST_BYTES}`, { signal })
  } catch (error) {
    throw signal.aborted ? error : asCallError(error, undefined)
  }
  if (!response.ok) throw asCallError(await response.json().catch(() => null), response)
  const size = Number(response.headers.get('X-Log-Size') ?? 0)
  return beginningOf(await response.text(), size > MOST_BYTES)
}

/** Returns the lines of a text; of a log that goes on, the last one may be half and is left out. */
export function beginningOf(text: string, goesOn: boolean): Beginning {
  const lines = text.split('\n', MOST_LINES + 2)
  // What follows the last line feed is a line only when something stands there, and a whole one only at the end.
  if (lines.at(-1) === '' || (goesOn && lines.length > 1)) lines.pop()
  return { lines: lines.slice(0, MOST_LINES).map(shownText), isCut: goesOn || lines.length > MOST_LINES }
}

/** A run with one of its attempts as the address names it: "ID" or "ID:2". */
export function parseSide(text: string): { runId: string; attempt: number | null } | null {
  const match = /^([0-9A-Za-z]{1,26})(?::(\d{1,5}))?$/.exec(text)
  return match ? { runId: match[1]!, attempt: match[2] ? Number(match[2]) : null } : null
}

