/** What is typed into the form of a run, as texts; and what of it goes to the server. */
import type { Run, RestartIn, SubmitIn } from '@/client'
import { exactBytes } from '@/format/amount'

export interface RunForm {
  module: string
  command: string
  args: string
  name: string
  num_cpus: string
  memory: string
  num_gpus: string
  gpu_memory: string
  timeout: string
  priority: string
  max_retries: string
  labels: string
}

export const EMPTY: RunForm = {
  module: '', command: '', args: '', name: '', num_cpus: '', memory: '', num_gpus: '', gpu_memory: '', timeout: '',
  priority: '', max_retries: '', labels: '',
}

const NUMBERS = ['num_cpus', 'num_gpus', 'priority', 'max_retries'] as const
/** What a field of a run before means once it is emptied: what stands in it then as a hint. */
const EMPTIED: Partial<Record<keyof RunForm, unknown>> = {
  num_cpus: 'auto', memory: 'auto', num_gpus: 0, gpu_memory: 0, timeout: 0, priority: 0, max_retries: 0,
}
const AMOUNTS = ['memory', 'gpu_memory', 'timeout'] as const

/** Returns the form of a run as it was submitted, everything filled in. */
export function formOf(run: Run): RunForm {
  return {
    ...EMPTY,
    args: run.command.slice(run.args_from ?? 1).map(asLine).join('\n'),
    name: run.module_name,
    num_cpus: String(run.num_cpus),
    memory: exactBytes(run.memory),
    num_gpus: String(run.num_gpus),
    gpu_memory: exactBytes(run.gpu_memory),
    timeout: run.timeout_seconds ? String(run.timeout_seconds) : '',
    priority: String(run.priority),
    max_retries: String(run.max_retries),
    labels: Object.entries(run.labels).map(([key, value]) => (value ? `${key}=${value}` : key)).join(' '),
  }
}

/** Returns what a restart does differently: nothing of what was left as it was. */
export function editsOf(form: RunForm, before: RunForm): RestartIn {
  const edits: Record<string, unknown> = {}
  for (const field of changed(form, before)) edits[field] = form[field].trim() === '' && field in EMPTIED ? EMPTIED[field] : valueOf(field, form)
  return edits
}

/** Returns the fields whose text is another one. */
export function changed(form: RunForm, before: RunForm): (keyof RunForm)[] {
  return (Object.keys(form) as (keyof RunForm)[]).filter((field) => form[field].trim() !== before[field].trim())
}

/** Returns a submission: only what was filled in, the rest comes from the module and the settings. */
export function submissionOf(form: RunForm): SubmitIn {
  const given = (Object.keys(form) as (keyof RunForm)[]).filter((field) => field !== 'module' && form[field].trim())
  const body: Record<string, unknown> = form.module ? { module_id: form.module } : {}
  for (const field of given) body[field] = valueOf(field, form)
  if (form.module) delete body.command
  return body as SubmitIn
}

function valueOf(field: keyof RunForm, form: RunForm): unknown {
  const text = form[field].trim()
  if (field === 'args') return lines(form.args)
  if (field === 'command') return words(form.command)
  if (field === 'labels') return labels(text)
  if ((NUMBERS as readonly string[]).includes(field)) return numberOr(text)
  // Amounts have units, so that a bare number is bytes or seconds.
  if ((AMOUNTS as readonly string[]).includes(field)) return /^\d+$/.test(text) ? Number(text) : text
  return text
}

/** One argument a line; a line in double quotes is read as JSON, so any text can be said. */
export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '').map(fromLine)
}

function asLine(argument: string): string {
  return argument === '' || /^"|[\n\r]/.test(argument) ? JSON.stringify(argument) : argument
}

function fromLine(line: string): string {
  if (!/^".*"$/.test(line)) return line
  try {
    return JSON.parse(line) as string
  } catch {
    return line
  }
}

/** Splits a command at blanks; quotes keep blanks inside of a word. No shell is involved. */
export function words(text: string): string[] {
  const found = text.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'])+/g) ?? []
  return found.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'/g, (_, double?: string, single?: string) =>
      double === undefined ? (single ?? '') : double.replace(/\\(["\\])/g, '$1'),
    ),
  )
}

function labels(text: string): Record<string, string> {
  const pairs = text.split(/[\s,]+/).filter(Boolean)
  return Object.fromEntries(pairs.map((pair) => [pair.split('=', 1)[0] ?? '', pair.includes('=') ? pair.slice(pair.indexOf('=') + 1) : '']))
}

const numberOr = (text: string): unknown => (text !== '' && Number.isFinite(Number(text)) ? Number(text) : text)
