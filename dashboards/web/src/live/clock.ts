/** The time, for what counts on the screen; one timer for the page, stopped while it is hidden. */
import { readonly, ref } from 'vue'

const current = ref(Date.now())

/** Milliseconds since the epoch, a second at a time. */
export const now = readonly(current)

setInterval(() => {
  if (!document.hidden) current.value = Date.now()
}, 1_000)
document.addEventListener('visibilitychange', () => (current.value = Date.now()))
