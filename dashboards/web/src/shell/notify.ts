/** Who waits for a run's end is told: by a desktop notification if that is allowed, and by a toast. */
import { live, onChanges, toggleWatch } from '@/live/live'
import { router } from '@/router'
import { toast } from '@/ui/toasts'

/** Tells when the run ends; again to stop that. Asks once whether notifications may be shown. */
export function watchRun(runId: string): void {
  toggleWatch(runId)
  if (live.watched.value.has(runId) && 'Notification' in window && Notification.permission === 'default')
    void Notification.requestPermission()
}

export function startNotifying(): void {
  onChanges((changes) => {
    for (const { kind, run } of changes) {
      if (kind !== 'run_ended' || !run || !live.watched.value.has(run.run_id)) continue
      toggleWatch(run.run_id)
      const words = `${run.module_name} ${run.status}`
      const open = () => void router.push(`/runs/${run.run_id}`)
      toast(words, { kind: run.status === 'completed' ? 'done' : 'error', action: { label: 'Show', do: open } })
      if ('Notification' in window && Notification.permission === 'granted')
        new Notification(words, { body: run.reason_detail ?? undefined, tag: run.run_id }).onclick = open
    }
  })
}
