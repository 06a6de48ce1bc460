/** One connection for the live logs of all viewers on the page; browsers allow only six to a host. */

import { EventParser, type ServerEvent } from './sse'
import { byteLength } from './tail'

export type FeedState = 'connecting' | 'live' | 'offline' | 'denied'

export interface Listener {
  /** The text of the bytes from `offset` to `end`. */
  log(text: string, offset: number, end: number): void
  gap(offset: number, end: number): void
  /** Nothing more comes: with the run as it is now, or without, when there is no such run. */
  end(run: unknown): void
  state(state: FeedState): void
  /** The connection was away for long; the log may have grown by more than one wants to read. */
  resumed(): void
}

export interface Wanted {
  readonly runId: string
  readonly attempt: number
  readonly offset: number
}

/** Without a word for so long, a connection is taken for dead: the server says something every 15 seconds. */
const SILENCE_MS = 40_000
/** A page that nobody looks at gives its connection up. */
const HIDDEN_MS = 30_000
const RETRIES_MS = [300, 1_000, 2_000, 5_000]
/** Events are taken in for so long before the browser may draw. */
const TURN_MS = 6

interface Entry {
  readonly runId: string
  readonly attempt: number
  offset: number
  readonly listeners: Set<Listener>
}

export interface Surroundings {
  readonly fetch: typeof fetch
  readonly url: (query: string) => string
  /** Resolves when there was time to draw. */
  readonly turn: () => Promise<void>
  readonly now: () => number
}

export class LogFeed {
  private entries = new Map<string, Entry>()
  private connection: AbortController | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private silence: ReturnType<typeof setTimeout> | undefined
  private failures = 0
  private isHidden = false
  private feedState: FeedState = 'connecting'

  constructor(private readonly around: Surroundings) {}

  /** Listen to a log from an offset on; call what is returned to end that. */
  listen(wanted: Wanted, listener: Listener): () => void {
    const key = `${wanted.runId}/${wanted.attempt}`
    const entry = this.entries.get(key) ?? { ...wanted, listeners: new Set<Listener>() }
    entry.offset = entry.listeners.size ? Math.min(entry.offset, wanted.offset) : wanted.offset
    entry.listeners.add(listener)
    this.entries.set(key, entry)
    listener.state(this.feedState === 'denied' ? 'connecting' : this.feedState)
    this.connectSoon(60)
    return () => {
      entry.listeners.delete(listener)
      if (entry.listeners.size || this.entries.get(key) !== entry) return
      this.entries.delete(key)
      this.connectSoon(60)
    }
  }

  /** Tell it whether anybody can see the page. */
  see(isVisible: boolean): void {
    clearTimeout(this.timer)
    if (!isVisible) {
      this.timer = setTimeout(() => {
        this.isHidden = true
        this.disconnect()
      }, HIDDEN_MS)
    } else if (this.isHidden) {
      this.isHidden = false
      for (const entry of [...this.entries.values()]) for (const listener of [...entry.listeners]) listener.resumed()
      this.connectSoon(0)
    }
  }

  /** Try again now: the network is back, or somebody asks for it. */
  retry(): void {
    this.failures = 0
    this.connectSoon(0)
  }

  private connectSoon(delay: number): void {
    clearTimeout(this.timer)
    if (!this.isHidden) this.timer = setTimeout(() => void this.connect(), delay)
  }

  private disconnect(): void {
    clearTimeout(this.silence)
    this.connection?.abort()
    this.connection = undefined
  }

  private async connect(): Promise<void> {
    this.disconnect()
    const entries = [...this.entries.values()]
    if (!entries.length) return
    const connection = new AbortController()
    this.connection = connection
    try {
      const isDone = await this.read(entries, connection)
      if (this.connection === connection && !isDone) this.failed('offline')
    } catch (error) {
      if (this.connection !== connection) return
      this.failed(error instanceof Denied ? 'denied' : 'offline')
    }
  }

  private failed(state: FeedState): void {
    clearTimeout(this.silence)
    this.tell(state)
    if (state === 'denied') return
    const delay = RETRIES_MS[Math.min(this.failures++, RETRIES_MS.length - 1)]!
    this.connectSoon(delay)
  }

  /** Read until the connection ends; whether all logs have ended. */
  private async read(entries: Entry[], connection: AbortController): Promise<boolean> {
    const query = new URLSearchParams(entries.map((entry) => ['run_id', entry.runId]))
    query.set('since', entries.map((entry) => `${entry.attempt}:${entry.offset}`).join(','))
    this.listenForSilence(connection)
    const response = await this.around.fetch(this.around.url(query.toString()), {
      signal: connection.signal,
      headers: { Accept: 'text/event-stream' },
      cache: 'no-store',
    })
    if ([401, 403].includes(response.status)) throw new Denied()
    if (!response.ok || !response.body) throw new Error(`the server answers ${response.status}`)
    this.failures = 0
    this.tell('live')
    const reader = response.body.getReader()
    const decoder = new TextDecoder()
    const parser = new EventParser()
    let turn = this.around.now()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      this.listenForSilence(connection)
      for (const event of parser.push(decoder.decode(piece.value, { stream: true }))) {
        if (this.connection !== connection) return true
        this.take(event)
      }
      // Reading no further holds the server back too, so that nothing piles up here.
      if (this.around.now() - turn > TURN_MS) {
        await this.around.turn()
        turn = this.around.now()
      }
    }
    return this.entries.size === 0
  }

  private listenForSilence(connection: AbortController): void {
    clearTimeout(this.silence)
    this.silence = setTimeout(() => connection.abort(), SILENCE_MS)
  }

  private take(event: ServerEvent): void {
    const data = JSON.parse(event.data) as EventData
    const found = this.entries.get(`${data.run_id}/${data.attempt ?? 0}`)
    const missing = event.kind === 'missing' ? [...this.entries.values()].filter((e) => e.runId === data.run_id) : []
    for (const entry of found ? [found] : missing) this.hand(entry, event.kind, data)
  }

  private hand(entry: Entry, kind: string, data: EventData): void {
    const listeners = [...entry.listeners]
    if (kind === 'log') {
      for (const [text, offset, end] of decoded(data)) {
        entry.offset = end
        for (const listener of listeners) listener.log(text, offset, end)
      }
    } else if (kind === 'gap') {
      entry.offset = data.end ?? entry.offset
      for (const listener of listeners) listener.gap(data.offset ?? 0, data.end ?? 0)
    } else {
      this.entries.delete(`${entry.runId}/${entry.attempt}`)
      for (const listener of listeners) listener.end(data.run)
    }
  }

  private tell(state: FeedState): void {
    this.feedState = state
    for (const entry of this.entries.values()) for (const listener of entry.listeners) listener.state(state)
  }
}

class Denied extends Error {}

interface EventData {
  run_id: string
  attempt?: number
  offset?: number
  end?: number
  text?: string
  base64?: string
  run?: unknown
}

/** Yield text with its place in bytes; line by line where not all bytes are text, so that every line's place is right. */
function* decoded(data: EventData): Generator<[string, number, number]> {
  let at = data.offset ?? 0
  if (data.base64 === undefined) {
    const text = data.text ?? ''
    yield [text, at, at + byteLength(text)]
    return
  }
  const bytes = Uint8Array.from(atob(data.base64), (character) => character.charCodeAt(0))
  for (let start = 0; start < bytes.length; ) {
    const stop = bytes.indexOf(0x0a, start) + 1 || bytes.length
    yield [new TextDecoder().decode(bytes.subarray(start, stop)), at, at + stop - start]
    at += stop - start
    start = stop
  }
}
