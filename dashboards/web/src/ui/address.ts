/** What is chosen on a view stands in its address: each value is one word of the query. */
import { computed, type WritableComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQueryValue } from 'vue-router'

const texts = (value: LocationQueryValue | LocationQueryValue[] | undefined) =>
  (Array.isArray(value) ? value : [value]).filter((text): text is string => !!text)

/** Returns ways to read and set words of the address; setting several at once makes one step of the history. */
export function useAddress() {
  const route = useRoute()
  const router = useRouter()

  function set(changes: Record<string, string | readonly string[] | null | undefined>, isStep = false): void {
    const query: Record<string, string | string[]> = {}
    for (const [name, value] of Object.entries({ ...route.query, ...changes })) {
      const words = Array.isArray(value) ? [...value] : value
      if (words && words.length) query[name] = words as string | string[]
    }
    void router[isStep ? 'push' : 'replace']({ query, hash: route.hash })
  }

  const one = (name: string, usual = ''): WritableComputedRef<string> =>
    computed({
      get: () => texts(route.query[name])[0] ?? usual,
      set: (value) => set({ [name]: value === usual ? null : value }),
    })
  const many = (name: string) => computed(() => texts(route.query[name]))
  return { set, one, many }
}
