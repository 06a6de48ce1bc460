import { ref } from 'vue'

/** What the view shows, in the window's title; null for the view's own name. */
export const title = ref<string | null>(null)
