import { client } from '@/client/client.gen'
import { asCallError } from './problem'

/** The folder that the page is served from, without a slash at its end: its API lies below. */
export const root = new URL('.', document.baseURI).href.replace(/\/$/, '')

/** After this long without an answer, a call is an error: nobody looks at a spinner for ever. */
export const CALL_MILLISECONDS = 10_000

client.setConfig({ baseUrl: root })

interface Answer<T> {
  data?: T
  error?: unknown
  response?: Response
}

/** Returns what a generated call answers. Throws CallError. */
export async function call<T>(
  request: (options: { signal: AbortSignal }) => Promise<Answer<T>>,
  signal?: AbortSignal,
  milliseconds = CALL_MILLISECONDS,
): Promise<T> {
  const limit = AbortSignal.timeout(milliseconds)
  const both = signal ? AbortSignal.any([signal, limit]) : limit
  let answer: Answer<T>
  try {
    answer = await request({ signal: both })
  } catch (error) {
    throw signal?.aborted ? error : asCallError(limit.aborted ? limit.reason : error, undefined)
  }
  if (answer.response?.ok) return answer.data as T
  if (signal?.aborted) throw signal.reason
  throw asCallError(limit.aborted ? limit.reason : answer.error, answer.response)
}
