"""What every room uses: errors, texts, TOML, the cache, and the helpers of commands."""
