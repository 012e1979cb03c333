"""Pages of the run library: pure data to HTML, and the same facts as words for the terminal."""
