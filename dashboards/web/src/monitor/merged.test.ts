import { expect, it } from 'vitest'
import { LogFeed, type Listener, type Wanted } from '@/log/feed'
import type { Line, Window } from '@/log/line'
import { MergedLog } from './merged'

const line = (number: number, text: string, at: string): Line => ({ number, offset: number * 10, length: 9, text, isCut: false, at })

function windowOf(runId: string): Window {
  const times = { a: ['08:00', '08:02'], b: ['08:01', '08:03'] }[runId] ?? []
  const lines = times.map((at, index) => line(index + 1, `${runId}${index + 1}`, at))
  return { lines, total: lines.length, size: (lines.length + 1) * 10, gap: null }
}

/** A feed that a test speaks for. */
class Feed {
  heard = new Map<string, Listener>()
  asked: Wanted[] = []
  listen(wanted: Wanted, listener: Listener) {
    this.asked.push(wanted)
    this.heard.set(wanted.runId, listener)
    return () => void this.heard.delete(wanted.runId)
  }
}

function merged() {
  const feed = new Feed()
  const log = new MergedLog(
    ({ runId }) => ({ lines: () => Promise.resolve(windowOf(runId)) }),
    feed as unknown as LogFeed,
    () => {},
    () => '09:00',
  )
  return { feed, log, texts: () => log.lines.map(({ line: { text } }) => text) }
}

it('what was before is by time, what comes is as it comes, in whole lines', async () => {
  const { feed, log, texts } = merged()
  await log.show([{ runId: 'a', attempt: 1 }, { runId: 'b', attempt: 1 }])
  expect(texts()).toEqual(['a1', 'b1', 'a2', 'b2'])
  feed.heard.get('b')!.log('b3\nb', 30, 34)
  feed.heard.get('a')!.log('a3\n', 30, 33)
  feed.heard.get('b')!.log('4\n', 34, 36)
  expect(texts().slice(4)).toEqual(['b3', 'a3', 'b4'])
  expect(feed.asked.map(({ offset }) => offset)).toEqual([30, 30])
})

it('the last line of a log that ends without one is shown at its end', async () => {
  const { feed, log, texts } = merged()
  await log.show([{ runId: 'a', attempt: 1 }])
  feed.heard.get('a')!.log('rest', 30, 34)
  expect(texts()).toEqual(['a1', 'a2'])
  feed.heard.get('a')!.end(undefined)
  expect(texts()).toEqual(['a1', 'a2', 'rest'])
})

it('runs come and go', async () => {
  const { feed, log, texts } = merged()
  await log.show([{ runId: 'a', attempt: 1 }])
  await log.show([{ runId: 'b', attempt: 1 }])
  expect(texts()).toEqual(['b1', 'b2'])
  expect([...feed.heard.keys()]).toEqual(['b'])
})

it('little is kept of very much', async () => {
  const { feed, log } = merged()
  await log.show([{ runId: 'a', attempt: 1 }])
  for (let at = 0; at < 100; at++) feed.heard.get('a')!.log('0123456\n'.repeat(1_000), 30 + at * 8_000, 30 + (at + 1) * 8_000)
  expect(log.lines.length).toBeLessThanOrEqual(12_000)
  expect(log.dropped + log.lines.length).toBe(100_002)
})
