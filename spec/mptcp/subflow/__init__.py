"""One subflow is TCP (RFC 9293): it knows nothing of Multipath TCP."""
