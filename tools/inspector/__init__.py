"""The page on which one watches a host: `tapstack lab --inspect`. See README.md in this folder."""
