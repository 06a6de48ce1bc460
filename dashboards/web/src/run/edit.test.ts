import { afterEach, expect, test, vi } from 'vitest'
import type { Run } from '@/client'
import { client } from '@/client/client.gen'
import { liveRuns } from '@/live/runs'
import { toasts } from '@/ui/toasts'
import { isHeld, setHeld, setPriority, setSuspended } from './edit'

const run = { run_id: 'R1', status: 'queued', priority: 0, terms: null, suspended: false, waiting_for: 'its turn' } as unknown as Run
const asked: { method: string; url: string; body: string }[] = []

/** Answers as the server would, with a run or a refusal. */
function answering(status: number, body: object, meanwhile = () => {}) {
  client.setConfig({
    baseUrl: 'http://localhost',
    fetch: async (request: RequestInfo | URL) => {
      const { method, url } = request as Request
      asked.push({ method, url, body: await (request as Request).text() })
      meanwhile()
      return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })
    },
  })
}

afterEach(() => {
  liveRuns.clear()
  toasts.length = 0
  asked.length = 0
  vi.useRealTimers()
})

test('a hold is shown at once, and stays when the server agrees', async () => {
  answering(200, { ...run, terms: { held: true } })
  const done = setHeld(run, true)
  expect(isHeld(liveRuns.get('R1')!)).toBe(true)
  expect(await done).toBe(true)
  expect(asked[0]).toMatchObject({ method: 'POST', url: 'http://localhost/api/runs/R1/hold' })
  expect(isHeld(liveRuns.get('R1')!)).toBe(true)
})

test.each([
  ['hold', () => setHeld(run, true)],
  ['priority', () => setPriority(run, 7)],
  ['suspend', () => setSuspended(run, true)],
])('a refused %s is undone and told', async (_, act) => {
  answering(409, { detail: 'it has started', status: 409 })
  expect(await act()).toBe(false)
  expect(liveRuns.get('R1')).toEqual(run)
  expect(toasts.map((toast) => toast.text)).toEqual(['it has started'])
})

test('a refused priority is undone where an event, which says not what the run waits for, told of it last', async () => {
  const told = { ...run, waiting_for: null } as Run
  liveRuns.set('R1', run)
  answering(409, { detail: 'it has started', status: 409 })
  expect(await setPriority(told, 7)).toBe(false)
  expect(liveRuns.get('R1')).toEqual(run)
})

test('what the stream told meanwhile is not undone with a refusal', async () => {
  const started = { ...run, status: 'running' } as Run
  answering(409, { detail: 'it has started', status: 409 }, () => liveRuns.set('R1', started))
  await setHeld(run, true)
  expect(liveRuns.get('R1')).toBe(started)
})

test('a priority goes out as a number', async () => {
  answering(200, { ...run, priority: 7 })
  await setPriority(run, 7)
  expect(asked[0]).toMatchObject({ method: 'PATCH', url: 'http://localhost/api/runs/R1', body: '{"priority":7}' })
  expect(liveRuns.get('R1')!.priority).toBe(7)
})
