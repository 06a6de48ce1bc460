/** What is changed of a batch while it goes on: shown at once, taken back when the server refuses. */
import { useQueryClient } from '@tanstack/vue-query'
import { batchesEdit, batchesHold, batchesRelease, type Batch, type BatchEditIn } from '@/client'
import { call } from '@/api/call'
import { toast, toastError } from '@/ui/toasts'

export function useBatchEdit(batchId: () => string) {
  const queries = useQueryClient()
  const key = () => ['batch', batchId()]
  const path = () => ({ batch_id: batchId() })
  let last = 0

  async function change(shown: Partial<Batch>, request: Parameters<typeof call<Batch>>[0]): Promise<boolean> {
    const before = queries.getQueryData<Batch>(key())
    const mine = ++last
    // An answer that was asked for before the change must not come over it.
    await queries.cancelQueries({ queryKey: key() })
    queries.setQueryData<Batch>(key(), (old) => old && { ...old, ...shown })
    try {
      const now = await call(request)
      // Of several clicks in a row, the last one is what is shown.
      if (mine === last) queries.setQueryData<Batch>(key(), now)
      return true
    } catch (error) {
      queries.setQueryData<Batch>(key(), before)
      toastError(error)
      await queries.invalidateQueries({ queryKey: key() })
      return false
    }
  }

  const edit = (body: BatchEditIn, shown: Partial<Batch>) => change(shown, (o) => batchesEdit({ ...o, path: path(), body }))

  return {
    setLimit: (max_concurrent: number | null) => edit({ max_concurrent }, { max_concurrent }),
    async setPriority(priority: number) {
      if (await edit({ priority }, {})) toast(`Priority ${priority} for its runs that have not started`)
    },
    async setHeld(held: boolean) {
      const did = await change({}, (o) => (held ? batchesHold({ ...o, path: path() }) : batchesRelease({ ...o, path: path() })))
      if (did) toast(held ? 'Held: none of its queued runs starts' : 'Released: its runs start in their turn')
    },
  }
}
