import { expect, test } from 'vitest'
import type { Run } from '@/client'
import { changed, editsOf, EMPTY, formOf, lines, submissionOf, words } from './form'

const run = {
  module_name: 'Train', command: ['python', 'train.py', '--lr', '0.1', 'two\nlines', ''], args_from: 2, num_cpus: 2,
  memory: 4 * 2 ** 30, num_gpus: 0.25, gpu_memory: 0, timeout_seconds: 0, priority: 0, max_retries: 1,
  labels: { kind: 'sweep', dry: '' },
} as unknown as Run

test('a form that was not touched changes nothing, whatever the arguments are', () => {
  expect(editsOf(formOf(run), formOf(run))).toEqual({})
  expect(lines(formOf(run).args)).toEqual(run.command.slice(2))
})

test('only what was changed goes to the server, as its type', () => {
  const before = formOf(run)
  const form = { ...before, args: '--lr\n0.2', memory: '6GiB', num_cpus: '1.5', labels: 'kind=other' }
  expect(changed(form, before)).toEqual(['args', 'num_cpus', 'memory', 'labels'])
  expect(editsOf(form, before)).toEqual({ args: ['--lr', '0.2'], memory: '6GiB', num_cpus: 1.5, labels: { kind: 'other' } })
})

test('a field that was emptied takes back what was asked for, a time limit too', () => {
  const before = formOf({ ...run, timeout_seconds: 60 } as Run)
  const form = { ...before, timeout: '', num_gpus: '', max_retries: ' ', memory: '', labels: '' }
  expect(editsOf(form, before)).toEqual({ num_gpus: 0, memory: 'auto', timeout: 0, max_retries: 0, labels: {} })
})

test('what is no number goes as it is, for the server to say what is wrong', () => {
  expect(submissionOf({ ...EMPTY, command: 'true', num_cpus: 'many' })).toEqual({ command: ['true'], num_cpus: 'many' })
})

test('a module is submitted without a command', () => {
  expect(submissionOf({ ...EMPTY, module: 'train', command: 'left over', timeout: '30m' })).toEqual({ module_id: 'train', timeout: '30m' })
})

test.each([
  ['python train.py --lr 0.1', ['python', 'train.py', '--lr', '0.1']],
  [`echo "two words" 'and "these"' a"b c"d`, ['echo', 'two words', 'and "these"', 'ab cd']],
  ['echo "a \\"quoted\\" word" ""', ['echo', 'a "quoted" word', '']],
  ['', []],
])('%s is %j', (text, parts) => expect(words(text)).toEqual(parts))
