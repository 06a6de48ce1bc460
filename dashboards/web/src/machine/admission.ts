import { useQueryClient } from '@tanstack/vue-query'
import { machinePause, machineResume, type Resources } from '@/client'
import { call } from '@/api/call'
import { toast, toastError } from '@/ui/toasts'
import { RESOURCES } from './resources'

/** Returns what pauses and resumes admission: shown at once, taken back when the server refuses. */
export function useAdmission() {
  const queries = useQueryClient()

  function show(is_paused: boolean) {
    queries.setQueryData<Resources>(RESOURCES, (old) => old && { ...old, semaphore: { ...old.semaphore, is_paused } })
  }

  return async (isPaused: boolean) => {
    show(isPaused)
    try {
      await call((o) => (isPaused ? machinePause(o) : machineResume(o)))
      toast(isPaused ? 'Paused: running runs go on, no new one starts' : 'Runs start again')
    } catch (error) {
      show(!isPaused)
      toastError(error)
    }
    await queries.invalidateQueries({ queryKey: RESOURCES })
  }
}
