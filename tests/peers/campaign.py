"""What the campaigns of sessions share: how they estimate, what flows, and where their streams are heard."""

SETTINGS = """[estimator]
method = "specparam"
range_hz = [2, 35]
window_s = 4
hop_s = 0.5
[stimulation]
enabled = true
peak_ma = 0.5
exponent = 2.0
electrode_area_cm2 = 35
ramp_up_s = 5
ramp_down_s = 5
[limits]
peak_ma = 0.5
[stimulator]
kind = "simulated"
"""

# The study's three.
CONDITIONS = """conditions = [
  { name = "steep", profile = "steep", exponent = 2.0, peak_ma = 0.5 },
  { name = "flat", profile = "flat", exponent = 0.5, peak_ma = 0.5 },
  { name = "sham", profile = "sham", exponent = 2.0, peak_ma = 0.5 },
]
"""

# liblsl on this machine alone, in a session that no other program is in.
LSL = """[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
AddressesOverride = {127.0.0.1}
TTLOverride = 0
[lab]
KnownPeers = {127.0.0.1}
SessionID = %s
"""
