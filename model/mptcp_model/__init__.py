"""The world around the protocol: ideal service, simulated network, dialogues, ladders and pictures."""

from mptcp import obey_switch

obey_switch(__path__[0])  # the reader of captures is compiled, too
