"""Which paths: path managers get facts about addresses and return wishes."""
