/** An object of a JSON document, whose fields may be anything. */
export type Json = Readonly<Record<string, unknown>>

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value as it looks in a document, cut to what a message can hold. */
export function excerpt(value: unknown, length = 80): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > length ? `${text.slice(0, length)}...` : text
}
