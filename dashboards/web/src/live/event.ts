import type { Run } from '@/client'

/** Where the stream stands: `asleep` while the tab is hidden, `refused` when the session has ended. */
export type StreamState = 'connecting' | 'live' | 'offline' | 'refused' | 'asleep'

/** A stored change, with the run as it is now; the run is gone when it was forgotten since. */
export interface Change {
  seq: number
  at: string
  kind: (typeof CHANGES)[number]
  run_id: string | null
  batch_id: string | null
  data: Record<string, unknown>
  run: Run | null
}

/** What one active run uses: percent of one core, bytes. */
export interface RunUse {
  run_id: string
  cpu_percent: number
  memory: number
  gpu_percent?: number | null
  gpu_memory?: number | null
  last_line?: string | null
}

/** What all active runs use, once a second; `at` in seconds since the epoch. */
export interface UsageEvent {
  kind: 'usage'
  at: number
  runs: RunUse[]
}

export type StreamEvent = Change | UsageEvent

export interface StreamHandlers {
  onState(state: StreamState): void
  onEvent(event: StreamEvent): void
  /** Something may have been missed: read everything again. */
  onResync(): void
}

export const CHANGES = [
  'batch_submitted',
  'batch_cancelled',
  'batch_closed',
  'notice_failed',
  'run_submitted',
  'run_starting',
  'run_started',
  'run_progressed',
  'run_requeued',
  'run_suspended',
  'run_held',
  'run_edited',
  'batch_edited',
  'run_released',
  'run_resumed',
  'run_origin_found',
  'run_ended',
  'run_warned',
  'run_stalled',
  'run_stall_ended',
  'start_withdrawn',
  'cancel_requested',
  'module_put',
  'module_deleted',
] as const

export const KINDS = [...CHANGES, 'usage'] as const
