/** What the log viewer asks the server for. */

import { call, root } from '@/api/call'
import { logsLines, logsSearch, type LogLines } from '@/client'
import { LogFeed } from './feed'
import type { Line, Window } from './line'
import type { Found, Wanted } from './search'
import type { LogReader, Whose } from './session'

export interface SearchFor {
  readonly text: string
  readonly isRegex: boolean
  readonly ignoreCase: boolean
}

/** A search reads the whole file, at most 20 seconds long. */
const SEARCH_MILLISECONDS = 30_000

export function readerOf({ runId, attempt }: Whose): LogReader {
  return {
    async lines({ first, last }, timestamps) {
      const query = { attempt, first, last, timestamps }
      return windowOf(await call((options) => logsLines({ ...options, path: { run_id: runId }, query })))
    },
  }
}

export async function search({ runId, attempt }: Whose, what: SearchFor, wanted: Wanted, signal?: AbortSignal): Promise<Found> {
  const query = { attempt, q: what.text, regex: what.isRegex, ignore_case: what.ignoreCase, ...wanted }
  return call((options) => logsSearch({ ...options, path: { run_id: runId }, query }), signal, SEARCH_MILLISECONDS)
}

/** Bytes of a log as text; what is none is shown as such. */
export async function bytesOf({ runId, attempt }: Whose, offset: number, limit: number): Promise<string> {
  const response = await fetch(`${logUrl({ runId, attempt })}&offset=${offset}&limit=${limit}`)
  if (!response.ok) throw new Error(`The server answered ${response.status}.`)
  return response.text()
}

export function logUrl({ runId, attempt }: Whose): string {
  return `${root}/api/runs/${encodeURIComponent(runId)}/log?attempt=${attempt}`
}

function windowOf({ lines, total, size, gap }: LogLines): Window {
  return { lines: lines.map(lineOf), total, size, gap }
}

function lineOf(line: LogLines['lines'][number]): Line {
  const { number, offset, length, text, is_cut: isCut } = line
  return { number, offset, length, text, isCut, update: line.update ?? undefined, at: line.at ?? undefined }
}

let shared: LogFeed | undefined

/** The page's one connection for live logs. */
export function sharedFeed(): LogFeed {
  if (shared) return shared
  const feed = new LogFeed({
    fetch: (url, options) => fetch(url, options),
    url: (query) => `${root}/api/logs/stream?${query}`,
    turn: () => new Promise((resolve) => (document.hidden ? setTimeout(resolve, 50) : requestAnimationFrame(() => resolve()))),
    now: () => performance.now(),
  })
  document.addEventListener('visibilitychange', () => feed.see(!document.hidden))
  window.addEventListener('online', () => feed.retry())
  shared = feed
  return feed
}
