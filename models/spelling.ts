/** The words that a mistyped one may stand for, likeliest first. */
export function nearest<Word extends string>(typed: string, words: readonly Word[], count = 4): Word[] {
  const plain = simplified(typed)
  const limit = Math.max(1, Math.floor(plain.length / 3))
  return words
    .map((word) => ({ word, distance: editDistance(plain, simplified(word)) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ word }) => word)
}

/** Case and separators are what people get wrong first: `ResNet-50` is `resnet50`. */
function simplified(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** Levenshtein's: insertions, deletions and replacements of a letter. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
