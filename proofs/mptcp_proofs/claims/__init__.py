"""The claims, one module per topic, each with its theorems."""
