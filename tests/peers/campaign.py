"""What the campaigns of simulated sessions share: how they estimate, and what flows."""

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
