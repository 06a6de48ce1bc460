import { expect, test } from 'vitest'
import type { Run } from '@/client'
import { dots, frameOf, timeAt } from './dots'

const run = (created_at: string, duration_seconds: number | null) => ({ created_at, duration_seconds }) as Run
const runs = [run('2026-01-01T00:00:00Z', 0.1), run('2026-01-01T01:00:00Z', 86_400), run('2026-01-01T00:30:00Z', null)]

test('earlier is further left, longer is higher, and all are inside', () => {
  const frame = frameOf(runs, 600, 80)
  const [first, last, queued] = dots(runs, frame)
  expect(first!.x).toBeLessThan(queued!.x)
  expect(queued!.x).toBeLessThan(last!.x)
  expect(last!.y).toBeLessThan(first!.y)
  for (const dot of [first, last, queued]) {
    expect(dot!.x).toBeGreaterThan(0)
    expect(dot!.x).toBeLessThan(600)
    expect(dot!.y).toBeGreaterThan(0)
    expect(dot!.y).toBeLessThan(80)
  }
})

test('a place tells its time, so a brush means what it shows', () => {
  const frame = frameOf(runs, 600, 80)
  for (const dot of dots(runs, frame)) expect(Math.abs(timeAt(dot.x, frame) - Date.parse(dot.run.created_at))).toBeLessThan(1)
})

test('one run alone has a place', () => {
  expect(dots(runs.slice(0, 1), frameOf(runs.slice(0, 1), 600, 80))[0]!.x).toBe(300)
})
