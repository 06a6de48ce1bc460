import { computed, shallowReactive } from 'vue'
import type { Run } from '@/client'
import { isActive, newest } from '@/live/runs'

/** Runs that are chosen to do something with; kept while pages are turned. */
export function useSelection() {
  const chosen = shallowReactive(new Map<string, Run>())
  const runs = computed(() => [...chosen.values()].map(newest))
  return {
    chosen,
    runs,
    active: computed(() => runs.value.filter(isActive)),
    ended: computed(() => runs.value.filter((run) => !isActive(run))),
    toggle: (run: Run) => void (chosen.delete(run.run_id) || chosen.set(run.run_id, run)),
    set(all: readonly Run[], isChosen: boolean) {
      for (const run of all) {
        if (isChosen) chosen.set(run.run_id, run)
        else chosen.delete(run.run_id)
      }
    },
    clear: () => chosen.clear(),
  }
}
