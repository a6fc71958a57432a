"""Writes some values of scipy's Slepian tapers, for src/estimator/tests/spectrum.rs.

    pip install numpy scipy && python make_dpss.py
"""

import pathlib

from scipy.signal.windows import dpss

lines = ["len,nw,order,index,value"]
for length, nw, count in [(250, 2.5, 4), (1000, 4.0, 7), (500, 3.0, 5), (251, 2.0, 3)]:
    for order, taper in enumerate(dpss(length, nw, count)):
        for index in range(0, length, length // 10):
            lines.append(f"{length},{nw},{order},{index},{taper[index]:.15e}")
(pathlib.Path(__file__).parent / "dpss.csv").write_text("\n".join(lines) + "\n")
