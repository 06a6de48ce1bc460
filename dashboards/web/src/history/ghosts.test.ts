import { expect, test } from 'vitest'
import type { Run } from '@/client'
import { boxes, ghostsOf, spanOf } from './ghosts'

const run = (run_id: string, second: number | null, memory = 4, status = 'queued') =>
  ({ run_id, status, memory, expected_start: second === null ? null : new Date(second * 1000).toISOString() }) as Run
const memory = (each: Run) => each.memory
const frame = { left: 10, top: 5, width: 400, height: 100, from: 0, to: 400, most: 16 }

test('only queued runs with an expected start that ask for some of it have a ghost, the first one first', () => {
  const found = ghostsOf([run('late', 300), run('soon', 200), run('unknown', null), run('none', 250, 0), run('runs', 100, 4, 'running')], memory)
  expect(found.map((ghost) => ghost.run.run_id)).toEqual(['soon', 'late'])
})

test('a ghost stands at its start, as high as what it asks for', () => {
  const [box] = boxes(ghostsOf([run('a', 200)], memory), frame, 100)
  expect(box).toMatchObject({ x: 210, y: 80, height: 25 })
})

test('a ghost is as wide as it may take, and open where that is not known or goes on beyond the graph', () => {
  const lasting = (run_id: string, second: number, seconds: number | null) => ({ ...run(run_id, second), expected_seconds: seconds })
  const found = boxes(ghostsOf([lasting('minute', 200, 60), lasting('unknown', 200, null), lasting('blink', 300, 0.1), lasting('hour', 350, 3_600)], memory), frame, 100)
  expect(found.map(({ ghost, x, width, isOpen }) => [ghost.run.run_id, x, width, isOpen])).toEqual([
    ['minute', 210, 60, false],
    ['unknown', 210, 26, true],
    ['blink', 310, 8, false],
    ['hour', 360, 50, true],
  ])
})

test('those that start together stand upon each other, and what finds no room is left out', () => {
  const found = boxes(ghostsOf([1, 2, 3, 4].map((n) => run(`r${n}`, 200, 5)), memory), frame, 100)
  expect(found).toHaveLength(3)
  for (const [i, box] of found.entries()) {
    expect(box.y).toBeGreaterThanOrEqual(frame.top)
    if (i > 0) expect(box.y + box.height).toBeLessThan(found[i - 1]!.y)
  }
})

test('one that is late stands at the present, one far away at the edge', () => {
  const [late, far] = boxes(ghostsOf([run('late', 50), run('far', 9_000)], memory), frame, 100)
  expect(late!.x).toBe(110)
  expect(far!.x + far!.width).toBe(410)
})

test('the future is shown only when something is expected in it, and never more of it than of the past', () => {
  expect(spanOf([700], [], 900, 1_000)).toEqual({ from: 700, to: 1_000 })
  expect(spanOf([0], [], 300, 1_000)).toEqual({ from: 700, to: 1_000 })
  expect(spanOf([999], [], 900, 1_000).from).toBe(880)
  const far = spanOf([700], ghostsOf([run('far', 99_000)], memory), 900, 1_000)
  expect(far.to).toBeCloseTo(1_345)
  expect(spanOf([700], ghostsOf([run('soon', 1_001)], memory), 900, 1_000).to).toBeCloseTo(1_045)
  expect(spanOf([700], ghostsOf([{ ...run('late', 900), expected_seconds: 100 }, run('soon', 1_001)], memory), 900, 1_000).to).toBeCloseTo(1_115)
})
