"""The world around the protocol: ideal service, simulated network, dialogues, ladders and pictures."""
