/** The dialog to submit a run, from wherever it is wanted. */
import { shallowRef } from 'vue'
import type { Run } from '@/client'

export interface SubmitWish {
  /** The module to begin with. */
  moduleId?: string
  /** The run to submit again, with everything filled in. */
  again?: Run
}

export const submitWish = shallowRef<SubmitWish | null>(null)

export function openSubmit(wish: SubmitWish = {}): void {
  submitWish.value = wish
}
