/** Short words about what just happened, in one place of the page. */
import { shallowReactive } from 'vue'

export interface Toast {
  id: number
  text: string
  kind: 'done' | 'error'
  action?: { label: string; do: () => void }
}

/** Errors stay longer: they are to be read. */
const SECONDS = { done: 5, error: 12 }
let last = 0

export const toasts = shallowReactive<Toast[]>([])

export function toast(text: string, more: Partial<Omit<Toast, 'id' | 'text'>> & { seconds?: number } = {}): Toast {
  const { seconds, ...rest } = more
  const made: Toast = { id: ++last, text, kind: 'done', ...rest }
  toasts.push(made)
  if (toasts.length > 4) toasts.shift()
  setTimeout(() => dismiss(made), (seconds ?? SECONDS[made.kind]) * 1000)
  return made
}

export function toastError(error: unknown): void {
  toast(error instanceof Error ? error.message : String(error), { kind: 'error' })
}

export function dismiss(toast: Toast): void {
  const place = toasts.indexOf(toast)
  if (place >= 0) toasts.splice(place, 1)
}
