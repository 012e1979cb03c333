"""The run on disk: written as heard, read back as written. Format in docs/recording-format.md."""
