import { expect, test } from 'vitest'
import type { Run } from '@/client'
import { changedWords, etaSeconds, exitWords } from './words'

test.each([
  [{ exit_code: 0, signal: null }, 'exit code 0: success'],
  [{ exit_code: 77, signal: null }, 'exit code 77'],
  [{ exit_code: 137, signal: null }, 'exit code 137: killed (SIGKILL), often for memory'],
  [{ exit_code: null, signal: 11 }, 'signal 11 (SIGSEGV)'],
  [{ exit_code: null, signal: null }, null],
])('%o reads %s', (run, words) => expect(exitWords(run)).toBe(words))

test('what is left follows from the pace so far', () => {
  const run = { status: 'running', progress: 0.25, started_at: '2026-01-01T00:00:00Z', duration_seconds: null } as Run
  expect(etaSeconds(run, Date.parse('2026-01-01T00:00:10Z'))).toBe(30)
  expect(etaSeconds({ ...run, progress: null }, Date.parse('2026-01-01T00:00:10Z'))).toBeNull()
})

test('what changed since the run before is told where something did', () => {
  expect(changedWords({ code_changed: ['commit a became b', 'Python 3.11 became 3.12'] })).toBe('Changed since: commit a became b; Python 3.11 became 3.12')
  expect(changedWords({ code_changed: [] })).toBeNull()
  expect(changedWords({ code_changed: null })).toBeNull()
})
