/** Does something with each number below a count, so many at a time. */
export async function inParallel(
  count: number,
  atATime: number,
  act: (number: number) => Promise<void>,
): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(atATime, count) }, async () => {
      while (next < count) await act(next++)
    }),
  )
}
