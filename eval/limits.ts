/** New tokens of one piece at most, as the model card's examples. */
export const MAX_NEW_TOKENS = 512

/** The longest piece of a recording that is transcribed at once, in seconds. */
export const MAX_PIECE_SECONDS = 60
