"""Pure bytes ↔ frames. Nothing here opens, waits or keeps time; what cannot be read raises `Malformed`."""
