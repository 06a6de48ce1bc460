/**
 * One EventSource on /api/events: opened while the tab is seen, resumed at the last event, and opened anew without
 * one after a long pause, when the caller reads everything again.
 */
import type { StreamEvent, StreamHandlers, StreamState } from './event'
import { KINDS } from './event'

/** After a longer pause than this, reading everything again is less work than replaying what happened. */
const LONGEST_PAUSE = 60_000
/** A timer that comes this much too late tells that the machine slept. */
const SLEPT = 10_000
/** Without a word from the server for this long, it is asked whether it is there: a dead connection tells nothing. */
const QUIET = 20_000
const LOOK = 2_000
const FIRST_RETRY = 500
const LAST_RETRY = 8_000

export interface Stream {
  /** Opens it again at once. */
  reconnect(): void
  close(): void
}

/** Opens the stream of the server at `root`; `isWanted` says whether it is to be open just now. */
export function openStream(root: string, handlers: StreamHandlers, isWanted: () => boolean): Stream {
  let source: EventSource | null = null
  let seq: number | null = null
  let heardAt = Date.now()
  let lookedAt = Date.now()
  let retryIn = FIRST_RETRY
  let retry: ReturnType<typeof setTimeout> | undefined
  let isAsking = false

  function connect() {
    disconnect()
    if (!isWanted()) return handlers.onState('asleep')
    handlers.onState('connecting')
    const isResumed = seq !== null && Date.now() - heardAt < LONGEST_PAUSE
    source = new EventSource(isResumed ? `${root}/api/events?since=${seq}` : `${root}/api/events`)
    source.addEventListener('open', (event) => opened(event, isResumed))
    source.addEventListener('error', failed)
    for (const kind of KINDS) source.addEventListener(kind, received)
  }

  function disconnect() {
    clearTimeout(retry)
    source?.close()
    source = null
  }

  function opened(event: Event, isResumed: boolean) {
    // EventSource's own event has the same name as the server's first message, which alone carries data.
    if (!(event instanceof MessageEvent)) return
    const at = (JSON.parse(event.data) as { seq: number }).seq
    const isAnotherStore = seq !== null && at < seq
    heardAt = Date.now()
    retryIn = FIRST_RETRY
    handlers.onState('live')
    if (!isResumed || isAnotherStore) handlers.onResync()
    seq = at
  }

  function received(event: MessageEvent<string>) {
    const data = JSON.parse(event.data) as StreamEvent
    heardAt = Date.now()
    if ('seq' in data) seq = data.seq
    handlers.onEvent(data)
  }

  async function failed() {
    if (!source) return
    disconnect()
    handlers.onState(await stateOf(root))
    clearTimeout(retry)
    retry = setTimeout(connect, retryIn)
    retryIn = Math.min(LAST_RETRY, retryIn * 2)
  }

  async function look() {
    const now = Date.now()
    const slept = now - lookedAt > SLEPT
    lookedAt = now
    if (!source) return
    if (slept) return connect()
    if (now - heardAt < QUIET || isAsking) return
    isAsking = true
    const state = await stateOf(root)
    isAsking = false
    if (state === 'live') heardAt = Date.now()
    else void failed()
  }

  function shown() {
    if (isWanted() !== (source !== null)) connect()
  }

  const timer = setInterval(() => void look(), LOOK)
  document.addEventListener('visibilitychange', shown)
  window.addEventListener('online', connect)
  connect()
  return {
    reconnect: connect,
    close() {
      disconnect()
      clearInterval(timer)
      document.removeEventListener('visibilitychange', shown)
      window.removeEventListener('online', connect)
    },
  }
}

/** Asks the server: EventSource tells nothing of why it failed. */
async function stateOf(root: string): Promise<StreamState> {
  try {
    const answer = await fetch(`${root}/readyz`, { signal: AbortSignal.timeout(5_000), cache: 'no-store' })
    if (answer.status === 401) return 'refused'
    return answer.ok ? 'live' : 'offline'
  } catch {
    return 'offline'
  }
}
