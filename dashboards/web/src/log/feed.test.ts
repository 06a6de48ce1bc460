import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { LogFeed, type FeedState, type Listener } from './feed'

/** A server that sends what a test tells it to. */
class Server {
  urls: string[] = []
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined
  status = 200

  fetch = ((url: string, options: RequestInit) => {
    this.urls.push(url)
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.controller = controller) })
    options.signal?.addEventListener('abort', () => this.controller?.error(new DOMException('', 'AbortError')))
    return Promise.resolve(new Response(body, { status: this.status }))
  }) as typeof fetch

  async send(kind: string, data: object) {
    this.controller!.enqueue(new TextEncoder().encode(`id: x\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`))
    await settled()
  }

  async close() {
    this.controller!.close()
    await settled()
  }
}

const settled = () => vi.advanceTimersByTimeAsync(0)

class Heard implements Listener {
  text = ''
  ends: number[] = []
  states: FeedState[] = []
  over: unknown[] = []
  resumes = 0
  gaps: number[][] = []
  log(text: string, _: number, end: number) {
    this.text += text
    this.ends.push(end)
  }
  gap(offset: number, end: number) {
    this.gaps.push([offset, end])
  }
  end(run: unknown) {
    this.over.push(run)
  }
  state(state: FeedState) {
    this.states.push(state)
  }
  resumed() {
    this.resumes++
  }
}

let server: Server
let feed: LogFeed

beforeEach(() => {
  vi.useFakeTimers()
  server = new Server()
  feed = new LogFeed({ fetch: server.fetch, url: (query) => `/s?${decodeURIComponent(query)}`, turn: () => Promise.resolve(), now: () => 0 })
})
afterEach(() => void vi.useRealTimers())

it('all logs come over one connection, from where each is', async () => {
  const [one, other] = [new Heard(), new Heard()]
  feed.listen({ runId: 'a', attempt: 1, offset: 5 }, one)
  feed.listen({ runId: 'b', attempt: 2, offset: 0 }, other)
  await vi.advanceTimersByTimeAsync(80)
  expect(server.urls).toEqual(['/s?run_id=a&run_id=b&since=1:5,2:0'])
  await server.send('log', { run_id: 'a', attempt: 1, offset: 5, text: 'é\n' })
  await server.send('log', { run_id: 'b', attempt: 2, offset: 0, base64: btoa('x\xff\ny') })
  expect([one.text, one.ends]).toEqual(['é\n', [8]])
  expect([other.text, other.ends]).toEqual(['x\ufffd\ny', [3, 4]])
})

it('a connection that breaks is taken up where each log was', async () => {
  const one = new Heard()
  feed.listen({ runId: 'a', attempt: 1, offset: 0 }, one)
  await vi.advanceTimersByTimeAsync(80)
  await server.send('log', { run_id: 'a', attempt: 1, offset: 0, text: 'abc' })
  await server.send('gap', { run_id: 'a', attempt: 1, offset: 3, end: 100 })
  await server.close()
  expect(one.states.at(-1)).toBe('offline')
  await vi.advanceTimersByTimeAsync(400)
  expect(server.urls.at(-1)).toBe('/s?run_id=a&since=1:100')
  expect([one.states.at(-1), one.gaps]).toEqual(['live', [[3, 100]]])
})

it('a log that has ended is asked for no more, and the connection rests', async () => {
  const one = new Heard()
  feed.listen({ runId: 'a', attempt: 1, offset: 0 }, one)
  await vi.advanceTimersByTimeAsync(80)
  await server.send('end', { run_id: 'a', attempt: 1, run: { status: 'completed' } })
  await server.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(server.urls).toHaveLength(1)
  expect(one.over).toEqual([{ status: 'completed' }])
})

it('a run that is gone is told, once', async () => {
  const one = new Heard()
  feed.listen({ runId: 'a', attempt: 3, offset: 0 }, one)
  await vi.advanceTimersByTimeAsync(80)
  await server.send('missing', { run_id: 'a', attempt: 3, detail: 'no run a is known' })
  expect(one.over).toEqual([undefined])
})

it('a dead connection is noticed by its silence', async () => {
  const one = new Heard()
  feed.listen({ runId: 'a', attempt: 1, offset: 0 }, one)
  await vi.advanceTimersByTimeAsync(41_000)
  expect(one.states).toContain('offline')
  expect(server.urls).toHaveLength(2)
})

it('one who may not is told so, and asks no more by himself', async () => {
  server.status = 401
  const one = new Heard()
  feed.listen({ runId: 'a', attempt: 1, offset: 0 }, one)
  await vi.advanceTimersByTimeAsync(60_000)
  expect([one.states.at(-1), server.urls.length]).toEqual(['denied', 1])
})

it('a page that nobody sees lets go of its connection, and asks where it stands when it is seen', async () => {
  const one = new Heard()
  feed.listen({ runId: 'a', attempt: 1, offset: 0 }, one)
  await vi.advanceTimersByTimeAsync(80)
  feed.see(false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(server.urls).toHaveLength(1)
  feed.see(true)
  await vi.advanceTimersByTimeAsync(80)
  expect([server.urls.length, one.resumes]).toEqual([2, 1])
})

it('who no longer listens is asked for no more', async () => {
  const [one, other] = [new Heard(), new Heard()]
  const stop = feed.listen({ runId: 'a', attempt: 1, offset: 0 }, one)
  feed.listen({ runId: 'b', attempt: 1, offset: 0 }, other)
  await vi.advanceTimersByTimeAsync(80)
  stop()
  await vi.advanceTimersByTimeAsync(80)
  expect(server.urls.at(-1)).toBe('/s?run_id=b&since=1:0')
})
